package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import io.github.rankine.models.json.Json;
import io.github.rankine.models.safetensors.SafetensorsFile;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LogitsCommandTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"llama-gqa", "llama-untied-llama3rope", "qwen2-bias", "gpt2"})
    void writesTheLogitsThatPyTorchComputes(String name) {
        Fixture fixture = Fixture.of(name);
        Path output = folder.resolve("logits.safetensors");

        CommandLineRun base = CommandLineRun.of(
                "logits", "--model", fixture.model(), "--tokens", tokens(fixture), "--output", output);
        assertThat(base).isEqualTo(new CommandLineRun(0, output + ": logits [24, 320]\n", ""));
        assertClose(output, fixture, "base.logits");

        CommandLineRun adapted = CommandLineRun.of(
                "logits",
                "--model",
                fixture.model(),
                "--adapter",
                fixture.adapter(),
                "--tokens",
                tokens(fixture),
                "--output",
                output);
        assertThat(adapted.exitCode()).isZero();
        assertClose(output, fixture, "lora.logits");
    }

    @Test
    void addsUpSeveralAdapters() {
        Fixture fixture = Fixture.of("llama-gqa");
        Path output = folder.resolve("logits.safetensors");
        CommandLineRun run = CommandLineRun.of(
                "logits",
                "--model",
                fixture.model(),
                "--adapter",
                fixture.adapter(),
                "--adapter",
                fixture.adapter(),
                "--tokens",
                "1,2",
                "--output",
                output,
                "--json");
        assertThat(run.exitCode()).isZero();
        assertThat(Json.parseObject(run.out(), "out").integers("shape", 0, 1000))
                .containsExactly(2, 320);
    }

    @Test
    void aTokenOutsideTheVocabularyIsOneLine() {
        Path output = folder.resolve("logits.safetensors");
        CommandLineRun run = CommandLineRun.of(
                "logits", "--model", Fixture.of("gpt2").model(), "--tokens", "1,320", "--output", output);
        assertThat(run)
                .isEqualTo(new CommandLineRun(
                        1, "", "rankine: token 320 is not in the model's vocabulary of 320" + System.lineSeparator()));
        assertThat(output).doesNotExist();
    }

    @Test
    void learnedPositionsBoundTheSequence() {
        CommandLineRun run = CommandLineRun.of(
                "logits",
                "--model",
                Fixture.of("gpt2").model(),
                "--tokens",
                LongStream.range(0, 129).mapToObj(Long::toString).collect(Collectors.joining(",")),
                "--output",
                folder.resolve("logits.safetensors"));
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.err()).contains("129 tokens: the model takes 128 at most");
    }

    /** The first of the two sequences, which has no padding. */
    private static String tokens(Fixture fixture) {
        try (SafetensorsFile golden = SafetensorsFile.open(fixture.golden())) {
            return LongStream.of(golden.bytes("input_ids").toArray(ValueLayout.JAVA_LONG_UNALIGNED))
                    .limit(24)
                    .mapToObj(Long::toString)
                    .collect(Collectors.joining(","));
        }
    }

    private static void assertClose(Path output, Fixture fixture, String tensor) {
        try (SafetensorsFile ours = SafetensorsFile.open(output);
                SafetensorsFile golden = SafetensorsFile.open(fixture.golden())) {
            assertThat(ours.info("logits").shape()).isEqualTo(List.of(24L, 320L));
            float[] actual = ours.bytes("logits").toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
            float[] expected = golden.bytes(tensor).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
            float largest = 0;
            for (int i = 0; i < actual.length; i++) {
                largest = Math.max(largest, Math.abs(expected[i]));
            }
            for (int i = 0; i < actual.length; i++) {
                assertThat(actual[i]).isCloseTo(expected[i], offset(1e-4f * largest));
            }
        }
    }
}
