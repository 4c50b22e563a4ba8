package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.peft.PeftConfig;
import io.github.rankine.models.safetensors.SafetensorsFile;
import io.github.rankine.models.safetensors.TensorInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SvdCommandTest {
    private static final Fixture LLAMA = Fixture.of("llama-gqa");

    @TempDir
    private Path temp;

    private static JsonNode json(Object... args) {
        List<Object> all = new ArrayList<>(List.of("svd"));
        all.addAll(List.of(args));
        all.add("--json");
        CommandLineRun run = CommandLineRun.of(all.toArray());
        assertThat(run.exitCode()).as(run.err()).isZero();
        return Json.parse(run.out(), "standard output");
    }

    @Test
    void anAdapterModuleByModule() {
        JsonNode result = json("--adapter", LLAMA.adapter());
        JsonNode first = result.at("/modules/0");
        int rank =
                PeftConfig.read(LLAMA.adapter().resolve(PeftConfig.FILE)).lora().rank();
        assertThat(first.get("name").textValue()).startsWith("model.layers.0.");
        assertThat(first.get("shape")).hasSize(2);
        for (JsonNode module : result.get("modules")) {
            assertThat(module.get("rank").intValue()).isEqualTo(rank);
            assertThat(module.get("singular_values")).hasSize(rank);
            assertThat(module.get("energy").get(rank - 1).doubleValue()).isCloseTo(1, within(1e-9));
            assertThat(module.get("effective_rank").doubleValue()).isBetween(1.0, (double) rank);
            assertThat(module.get("stable_rank").doubleValue())
                    .isBetween(1.0, module.get("effective_rank").doubleValue());
            assertThat(module.has("amplification")).isFalse();
            assertThat(module.has("intruder_dimensions")).isFalse();
        }
        assertThat(result.at("/total/modules").intValue())
                .isEqualTo(result.get("modules").size());
        assertThat(result.at("/total/energy").get(rank - 1).doubleValue()).isCloseTo(1, within(1e-9));
    }

    @Test
    void withTheBaseItTellsAmplificationAndIntruders() {
        JsonNode result = json("--adapter", LLAMA.adapter(), "--model", LLAMA.model(), "--intruders");
        for (JsonNode module : result.get("modules")) {
            assertThat(module.get("amplification").doubleValue()).isPositive();
            assertThat(module.get("intruder_dimensions").intValue()).isBetween(0, 10);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama-gqa", "gpt2"})
    void anUpdateOfRankEightIsReportedAsThat(String family) {
        RankEightUpdate update = RankEightUpdate.write(temp, family);
        JsonNode result = json("--model", update.base(), "--tuned", update.tuned());
        assertThat(result.get("modules")).isNotEmpty();
        for (JsonNode module : result.get("modules")) {
            assertThat(module.get("rank").intValue())
                    .as(module.get("name").textValue())
                    .isEqualTo(8);
            assertThat(module.get("used_rank").intValue()).isLessThanOrEqualTo(8);
            assertThat(module.get("energy").get(7).doubleValue()).isCloseTo(1, within(1e-9));
            assertThat(module.get("energy").get(6).doubleValue()).isLessThan(0.9999);
        }
        JsonNode sampled = json("--model", update.base(), "--tuned", update.tuned(), "--values", 8);
        for (int i = 0; i < sampled.get("modules").size(); i++) {
            JsonNode found = sampled.get("modules").get(i).get("singular_values");
            JsonNode exact = result.get("modules").get(i).get("singular_values");
            assertThat(found).hasSize(8);
            JsonNode bound = sampled.get("modules").get(i).get("error_bound");
            assertThat(result.get("modules").get(i).has("error_bound")).isFalse();
            assertThat(bound.doubleValue()).isBetween(0.0, 1e-2 * exact.get(0).doubleValue());
            for (int k = 0; k < 8; k++) {
                assertThat(found.get(k).doubleValue())
                        .isCloseTo(
                                exact.get(k).doubleValue(),
                                within(1e-4 * exact.get(0).doubleValue()));
            }
        }
    }

    @Test
    void anAdapterWithItselfIsAllAlike() {
        JsonNode result = json("--adapter", LLAMA.adapter(), "--adapter", LLAMA.adapter());
        for (JsonNode module : result.get("modules")) {
            JsonNode phi = module.get("similarity");
            for (int i = 0; i < phi.size(); i++) {
                assertThat(phi.get(i).get(i).doubleValue()).isCloseTo(1, within(1e-9));
            }
        }
        assertThat(result.at("/total/unmatched_modules").intValue()).isZero();
        CommandLineRun text = CommandLineRun.of("svd", "--adapter", LLAMA.adapter(), "--adapter", LLAMA.adapter());
        assertThat(text.out()).contains("i \\ j").contains("1.000");
    }

    @Test
    void theTableAdvises() {
        CommandLineRun run = CommandLineRun.of("svd", "--adapter", LLAMA.adapter(), "--energy", 0.5);
        assertThat(run.exitCode()).isZero();
        assertThat(run.out())
                .contains("Adapter " + LLAMA.adapter())
                .contains("model.layers.0.self_attn.q_proj")
                .contains("for 50 %")
                .contains("modules")
                .contains("50 % of the update's energy takes ");
    }

    @Test
    void ranksAreWrittenAndTrainedWith() {
        Path pattern = temp.resolve("ranks.json");
        JsonNode result = json("--adapter", LLAMA.adapter(), "--energy", 0.6, "--rank-pattern", pattern);
        TrainingExample example = new TrainingExample(temp);
        Path output = temp.resolve("run");
        CommandLineRun run = CommandLineRun.of(example.arguments(output, "--rank-pattern", pattern));
        assertThat(run.exitCode()).as(run.err()).isZero();
        JsonNode config = Json.readObject(output.resolve(PeftConfig.FILE)).toNode();
        for (JsonNode module : result.get("modules")) {
            String name = module.get("name").textValue();
            int wanted = Math.max(1, module.get("rank_for_energy").intValue());
            assertThat(config.at("/rank_pattern").get(name).intValue()).isEqualTo(wanted);
        }
        try (SafetensorsFile weights = SafetensorsFile.open(output.resolve("adapter_model.safetensors"))) {
            String first = result.at("/modules/0/name").textValue();
            assertThat(weights.info("base_model.model." + first + ".lora_A.weight")
                            .shape()
                            .getFirst())
                    .isEqualTo(config.at("/rank_pattern").get(first).longValue());
        }
    }

    @Test
    void aReportIsOnePageWithoutAnythingElse() throws IOException {
        Path report = temp.resolve("report");
        CommandLineRun run =
                CommandLineRun.of("svd", "--adapter", LLAMA.adapter(), "--model", LLAMA.model(), "--report", report);
        assertThat(run.exitCode()).as(run.err()).isZero();
        String page = Files.readString(report.resolve("index.html"));
        List<String> parts = new ArrayList<>(
                List.of("name=\"viewport\"", "@media print", "model.layers.0.self_attn.q_proj", "90 % of the update"));
        if (Fonts.areThere()) {
            parts.addAll(List.of("data:image/png;base64,", "How much larger the update is"));
        }
        // Not the page itself, which would fill the log.
        assertThat(parts).allMatch(page::contains);
        assertThat(List.of("http", "<script", "<link")).noneMatch(page::contains);
        try (var files = Files.list(report)) {
            assertThat(files).hasSize(1);
        }
        CommandLineRun again = CommandLineRun.of("svd", "--adapter", LLAMA.adapter(), "--report", report);
        assertFailure(again, 1, report + ": holds something already; choose a new or empty folder as --report");
        Path compared = temp.resolve("compared");
        CommandLineRun two = CommandLineRun.of(
                "svd", "--adapter", LLAMA.adapter(), "--adapter", LLAMA.adapter(), "--report", compared);
        assertThat(two.exitCode()).as(two.err()).isZero();
        assertThat(Files.readString(compared.resolve("index.html")).contains("φ(i, j)"))
                .isTrue();
    }

    @Test
    void tooFewValuesForTheEnergyAreSaidAndMakeNoPattern() {
        RankEightUpdate update = RankEightUpdate.write(temp, "llama-gqa");
        Path pattern = temp.resolve("ranks.json");
        Object[] words = {"svd", "--model", update.base(), "--tuned", update.tuned(), "--values", 2};
        CommandLineRun run = CommandLineRun.of(words);
        assertThat(run.exitCode()).isZero();
        assertThat(run.out())
                .contains("14 of 14 modules need more than the 2 singular values that were taken for 90 %")
                .contains("over 2")
                .doesNotContain("takes ranks from");
        CommandLineRun refused = CommandLineRun.of(
                "svd", "--model", update.base(), "--tuned", update.tuned(), "--values", 2, "--rank-pattern", pattern);
        assertThat(refused.exitCode()).isEqualTo(1);
        assertThat(refused.err())
                .contains("needs more than the 2 singular values")
                .contains("raise --values");
        assertThat(pattern).doesNotExist();
    }

    @Test
    void whatDoesNotFitIsRefusedInOneLine() {
        Path gpt2 = Fixture.of("gpt2").model();
        assertFailure(
                CommandLineRun.of("svd", "--adapter", LLAMA.adapter(), "--model", gpt2), 1, "made for another base");
        assertFailure(
                CommandLineRun.of("svd", "--model", LLAMA.model(), "--tuned", gpt2),
                1,
                gpt2 + ": no layer model.layers.0.self_attn.q_proj, which " + LLAMA.model() + " has");
        assertFailure(
                CommandLineRun.of(
                        "svd",
                        "--adapter",
                        LLAMA.adapter(),
                        "--adapter",
                        Fixture.of("gpt2").adapter()),
                1,
                "has no module in common");
        assertFailure(
                CommandLineRun.of("svd", "--model", LLAMA.model(), "--tuned", LLAMA.model()), 1, "there is no update");
        assertFailure(
                CommandLineRun.of("svd", "--adapter", LLAMA.adapter(), "--rank-pattern", temp.resolve("no/ranks.json")),
                1,
                "there is no folder " + temp.resolve("no"));
        assertFailure(
                CommandLineRun.of("svd", "--adapter", LLAMA.adapter(), "--adapter", LLAMA.adapter(), "--energy", 0.5),
                2,
                "two adapters are compared by themselves");
        assertFailure(CommandLineRun.of("svd", "--tuned", gpt2), 2, "--tuned needs --model");
        assertFailure(CommandLineRun.of("svd", "--model", gpt2), 2, "nothing to measure");
        assertFailure(CommandLineRun.of("svd", "--adapter", LLAMA.adapter(), "--energy", 0), 2, "--energy 0.0");
        assertFailure(CommandLineRun.of("svd", "--adapter", LLAMA.adapter(), "--values", 0), 2, "--values 0");
        assertFailure(
                CommandLineRun.of("svd", "--adapter", LLAMA.adapter(), "--values", 4), 2, "--values is for --tuned");
        assertFailure(CommandLineRun.of("svd", "--adapter", LLAMA.adapter(), "--intruders"), 2, "needs --model");
    }

    @Test
    void whatIsNotANumberIsNamed() throws IOException {
        RankEightUpdate update = RankEightUpdate.write(temp, "llama-gqa");
        Path file = update.tuned().resolve("model.safetensors");
        String name = "model.layers.1.mlp.up_proj.weight";
        long position;
        try (SafetensorsFile weights = SafetensorsFile.open(file)) {
            TensorInfo info = weights.info(name);
            long header = Files.size(file)
                    - weights.tensors().stream().mapToLong(TensorInfo::bytes).sum();
            position = header + info.begin();
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            ByteBuffer nan =
                    ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putFloat(Float.NaN);
            channel.write(nan.flip(), position);
        }
        assertFailure(
                CommandLineRun.of("svd", "--model", update.base(), "--tuned", update.tuned()),
                1,
                update.tuned() + ": model.layers.1.mlp.up_proj: element [0, 0] is NaN");
    }

    private static void assertFailure(CommandLineRun run, int exitCode, String message) {
        assertThat(run.exitCode()).as(run.err()).isEqualTo(exitCode);
        assertThat(run.err()).contains("rankine: ").contains(message).doesNotContain("\tat ");
        assertThat(run.out()).isEmpty();
    }
}
