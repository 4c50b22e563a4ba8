package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import io.github.rankine.models.safetensors.SafetensorsFile;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EvaluateCommandTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"llama-gqa", "llama-untied-llama3rope", "qwen2-bias", "gpt2"})
    void theLossIsPyTorchs(String name) throws IOException {
        Fixture fixture = Fixture.of(name);
        for (int batchSize : new int[] {1, 4}) {
            CommandLineRun run = CommandLineRun.of(
                    "evaluate",
                    "--model",
                    fixture.model(),
                    "--adapter",
                    fixture.adapter(),
                    "--data",
                    goldenData(fixture),
                    "--batch-size",
                    batchSize,
                    "--json");
            assertThat(run.exitCode()).isZero();
            assertThat(run.err()).contains("2 samples, 42 tokens (30 learned)");
            JsonObject result = Json.parseObject(run.out(), "standard output");
            float expected = goldenLoss(fixture);
            double loss = result.number("loss", 0, 100);
            assertThat(loss).isCloseTo(expected, offset(1e-4 * expected));
            assertThat(result.number("perplexity", 0, 1e9)).isEqualTo(Math.exp(loss));
            assertThat(result.integer("tokens", 0, 1000)).isEqualTo(30);
        }
    }

    @Test
    void aSampleLongerThanTheModelTakesIsNoBug() throws IOException {
        Path data = Files.writeString(
                folder.resolve("long.jsonl"), "{\"input_ids\": " + Collections.nCopies(129, 5) + "}\n");
        CommandLineRun run =
                CommandLineRun.of("evaluate", "--model", Fixture.of("gpt2").model(), "--data", data);
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.err())
                .endsWith("rankine: sample 0 has 129 tokens, the model takes 128 at most: lower the maximum length"
                        + " (--max-length)\n");
    }

    @Test
    void printsOneLine() throws IOException {
        Fixture fixture = Fixture.of("llama-gqa");
        CommandLineRun run = CommandLineRun.of("evaluate", "--model", fixture.model(), "--data", goldenData(fixture));
        assertThat(run.out()).matches("loss \\d\\.\\d{6} nats per token, perplexity [\\d.]+, 30 tokens\n");
    }

    @Test
    void textIsTokenizedAndEndsWithItsEnd() throws IOException {
        Path model = TinyModel.write(folder.resolve("model"));
        Path data = folder.resolve("data.jsonl");
        Files.writeString(data, """
            {"prompt": "2+2=", "completion": "4"}
            {"text": "ab"}
            """);
        // Of the first the completion and the end, of the second b and the end, or one token for ab and the end.
        assertThat(tokens(model, data)).isBetween(3, 4);
        assertThat(tokens(model, data, "--train-on-prompt")).isGreaterThan(tokens(model, data));
        // The first is cut off before its completion, and dropped whole.
        assertThat(tokens(model, data, "--max-length", 2, "--train-on-prompt")).isEqualTo(1);
    }

    private static int tokens(Path model, Path data, Object... options) {
        Object[] args = {"evaluate", "--model", model, "--data", data, "--json"};
        Object[] all = Arrays.copyOf(args, args.length + options.length);
        System.arraycopy(options, 0, all, args.length, options.length);
        CommandLineRun run = CommandLineRun.of(all);
        assertThat(run.exitCode()).as(run.err()).isZero();
        return Json.parseObject(run.out(), "standard output").integer("tokens", 0, 1000);
    }

    @Test
    void dataThatCannotBeReadIsOneLineWithItsPlace() throws IOException {
        assertThat(failureOf("{\"input_ids\": [1, 2]}\n{\"input_ids\": [1,\n")).contains("data.jsonl, line 2");
        assertThat(failureOf("{\"input_ids\": [1, 320]}\n")).contains("line 1").contains("vocabulary has 320");
        assertThat(failureOf("{\"txt\": \"a\"}\n")).contains("data.jsonl, line 1");
        assertThat(failureOf("{\"text\": \"a\"}\n")).contains("tokenizer.json");
        assertThat(failureOf("")).contains("no records");
        assertThat(failureOf("{\"input_ids\": [1, 2], \"labels\": [-100, -100]}\n"))
                .contains("no token to learn");
    }

    private String failureOf(String records) throws IOException {
        Path data = folder.resolve("data.jsonl");
        Files.writeString(data, records);
        CommandLineRun run =
                CommandLineRun.of("evaluate", "--model", Fixture.of("llama-gqa").model(), "--data", data);
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.err().lines().toList()).hasSize(1);
        return run.err();
    }

    /** The fixture's two sequences, the second without its padding. */
    private Path goldenData(Fixture fixture) throws IOException {
        Path data = folder.resolve("golden.jsonl");
        try (SafetensorsFile golden = SafetensorsFile.open(fixture.golden())) {
            long[] ids = golden.bytes("input_ids").toArray(ValueLayout.JAVA_LONG_UNALIGNED);
            long[] labels = golden.bytes("labels").toArray(ValueLayout.JAVA_LONG_UNALIGNED);
            Files.writeString(data, record(ids, labels, 0, 24) + record(ids, labels, 24, 42));
        }
        return data;
    }

    private static String record(long[] ids, long[] labels, int from, int to) {
        return "{\"input_ids\": " + Arrays.toString(Arrays.copyOfRange(ids, from, to)) + ", \"labels\": "
                + Arrays.toString(Arrays.copyOfRange(labels, from, to)) + "}\n";
    }

    private static float goldenLoss(Fixture fixture) {
        try (SafetensorsFile golden = SafetensorsFile.open(fixture.golden())) {
            return golden.weight("lora.loss").get(0, 0);
        }
    }
}
