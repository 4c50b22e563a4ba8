package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.nn.Linear;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.peft.PeftAdapter;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ExtractCommandTest {
    @TempDir
    private Path temp;

    private static JsonNode extract(RankEightUpdate update, Path output, Object... more) {
        List<Object> all = new ArrayList<>(
                List.of("extract", "--model", update.base(), "--tuned", update.tuned(), "--output", output));
        all.addAll(List.of(more));
        all.add("--json");
        CommandLineRun run = CommandLineRun.of(all.toArray());
        assertThat(run.exitCode()).as(run.err()).isZero();
        return Json.parse(run.out(), "standard output");
    }

    /** {@code ‖(tuned − base) − ΔW‖² / ‖tuned − base‖²} over all modules, with the matrices formed. */
    private static double lost(RankEightUpdate update, Path adapter) {
        double lost = 0;
        double all = 0;
        try (Arena arena = Arena.ofShared();
                Kernels kernels = KernelsLookup.named("vector", 1);
                CausalLanguageModel base = CausalLanguageModel.open(update.base());
                CausalLanguageModel tuned = CausalLanguageModel.open(update.tuned());
                PeftAdapter stored = PeftAdapter.open(adapter)) {
            LoraAdapter loaded = stored.load(base.decoder(), arena);
            List<Linear> tunedLinears = tuned.decoder().linears();
            for (int i = 0; i < tunedLinears.size(); i++) {
                Linear linear = base.decoder().linears().get(i);
                if (!loaded.modules().containsKey(linear.name())) {
                    continue;
                }
                Tensor zero = Tensor.allocate(
                        arena,
                        linear.weight().value().rows(),
                        linear.weight().value().cols());
                Tensor delta = loaded.modules()
                        .get(linear.name())
                        .mergeInto(kernels, zero.asWeight(), linear.shape().transposed(), arena);
                for (long row = 0; row < zero.rows(); row++) {
                    for (long col = 0; col < zero.cols(); col++) {
                        double wanted =
                                (double) tunedLinears.get(i).weight().value().get(row, col)
                                        - linear.weight().value().get(row, col);
                        all += wanted * wanted;
                        lost += (wanted - delta.get(row, col)) * (wanted - delta.get(row, col));
                    }
                }
            }
        }
        return lost / all;
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama-gqa", "gpt2"})
    void anUpdateOfRankEightComesBackWholeAndAtFourAsMuchAsIsSaid(String family) {
        RankEightUpdate update = RankEightUpdate.write(temp, family);
        JsonNode eight = extract(update, temp.resolve("eight"), "--rank", 8);
        assertThat(Math.sqrt(lost(update, temp.resolve("eight")))).isLessThan(1e-5);
        assertThat(eight.get("energy").doubleValue()).isCloseTo(1, within(1e-7));
        assertThat(eight.get("left_out")).isEmpty();
        JsonNode four = extract(update, temp.resolve("four"), "--rank", 4);
        assertThat(1 - four.get("energy").doubleValue()).isCloseTo(lost(update, temp.resolve("four")), within(1e-6));
        assertThat(four.get("energy").doubleValue()).isBetween(0.3, 0.99);
    }

    @Test
    void energyGivesEachModuleTheRankItNeeds() {
        RankEightUpdate update = RankEightUpdate.write(temp, "llama-gqa");
        Path output = temp.resolve("adapter");
        JsonNode result = extract(update, output, "--energy", 0.9);
        assertThat(result.get("energy").doubleValue()).isGreaterThanOrEqualTo(0.9);
        assertThat(1 - result.get("energy").doubleValue()).isCloseTo(lost(update, output), within(1e-6));
        try (PeftAdapter stored = PeftAdapter.open(output)) {
            result.get("ranks").properties().forEach(entry -> {
                assertThat(entry.getValue().intValue()).isBetween(1, 8);
                assertThat(stored.modules().get(entry.getKey()).rank())
                        .isEqualTo(entry.getValue().intValue());
                assertThat(stored.config().lora().scaling(entry.getKey())).isEqualTo(1);
            });
        }
        assertThat(output.resolve("README.md"))
                .content()
                .contains("## Extraction")
                .contains("Energy kept");
    }

    @Test
    void lossesFallWithTheRankToThoseOfTheFineTune() throws IOException {
        Path base = TinyModel.write(temp.resolve("model"));
        Path data = Files.writeString(
                temp.resolve("train.jsonl"), "{\"text\": \"one two three four five six\"}\n".repeat(8));
        Path held = Files.writeString(temp.resolve("held.jsonl"), "{\"text\": \"two three four\"}\n");
        Path tuned = temp.resolve("tuned");
        CommandLineRun train = CommandLineRun.of(
                "finetune",
                "--full",
                "--model",
                base,
                "--data",
                data,
                "--output",
                tuned,
                "--steps",
                20,
                "--learning-rate",
                2e-3,
                "--json");
        assertThat(train.exitCode()).as(train.err()).isZero();
        CommandLineRun run = CommandLineRun.of(
                "extract",
                "--model",
                base,
                "--tuned",
                tuned,
                "--rank",
                32,
                "--output",
                temp.resolve("adapter"),
                "--data",
                data,
                "--eval-data",
                held,
                "--json");
        assertThat(run.exitCode()).as(run.err()).isZero();
        JsonNode result = Json.parse(run.out(), "standard output");
        JsonNode losses = result.get("losses");
        assertThat(losses).hasSize(9);
        assertThat(losses.get(0).get("name").textValue()).isEqualTo("base");
        for (int i = 1; i <= 6; i++) {
            assertThat(losses.get(i).get("rank").intValue()).isEqualTo(1 << (i - 1));
            assertThat(losses.get(i).get("loss").doubleValue())
                    .isLessThan(losses.get(i - 1).get("loss").doubleValue());
            assertThat(losses.get(i).get("gap").doubleValue())
                    .isCloseTo(
                            losses.get(i).get("eval_loss").doubleValue()
                                    - losses.get(i).get("loss").doubleValue(),
                            within(1e-9));
        }
        assertThat(losses.get(7).get("name").textValue()).isEqualTo("linear layers in full");
        assertThat(losses.get(8).get("name").textValue()).isEqualTo("full fine-tune");
        assertThat(result.get("left_out").has("model.embed_tokens.weight")).isTrue();
    }

    /** Layers that were not trained are stored in the type asked for too; that is no change. */
    @Test
    void roundingIsNoChange() {
        Path output = temp.resolve("adapter");
        Path tuned = temp.resolve("full");
        RankEightUpdate update = RankEightUpdate.write(temp.resolve("eight"), "llama-gqa");
        Path data = new TrainingExample(temp).data();
        CommandLineRun train = CommandLineRun.of(
                "finetune",
                "--full",
                "--target-modules",
                "all-linear",
                "--dtype",
                "bfloat16",
                "--model",
                update.base(),
                "--data",
                data,
                "--output",
                tuned,
                "--steps",
                2);
        assertThat(train.exitCode()).as(train.err()).isZero();
        CommandLineRun run = CommandLineRun.of(
                "extract", "--model", update.base(), "--tuned", tuned, "--rank", 2, "--output", output, "--json");
        assertThat(run.exitCode()).as(run.err()).isZero();
        assertThat(Json.parse(run.out(), "standard output").get("left_out")).isEmpty();
    }

    @Test
    void whatCannotBeIsRefusedInOneLine() throws IOException {
        RankEightUpdate update = RankEightUpdate.write(temp, "llama-gqa");
        Path output = temp.resolve("adapter");
        Object[] common = {"extract", "--model", update.base(), "--tuned", update.tuned(), "--output", output};
        assertFailure(2, "--rank or --energy", common);
        assertFailure(2, "--rank or --energy", common, "--rank", 4, "--energy", 0.5);
        assertFailure(2, "--rank 0: must be at least 1", common, "--rank", 0);
        assertFailure(2, "--energy 1.5", common, "--energy", 1.5);
        assertFailure(1, "--rank 1000: no matrix of " + update.base() + " has a rank over ", common, "--rank", 1000);
        assertFailure(
                1,
                "its linear layers are the base's, so there is no update",
                new Object[] {"extract", "--model", update.base(), "--tuned", update.base(), "--output", output},
                "--rank",
                4);
        Path file = Files.writeString(temp.resolve("file"), "mine");
        assertFailure(
                1,
                file + ": a file; --output names a folder",
                new Object[] {"extract", "--model", update.base(), "--tuned", update.tuned(), "--output", file},
                "--rank",
                4);
        assertThat(output).doesNotExist();
        Files.createDirectories(output);
        Files.writeString(output.resolve("mine.txt"), "keep");
        assertFailure(1, output + ": holds something already", common, "--rank", 4);
        assertThat(output.resolve("mine.txt")).hasContent("keep");
    }

    private static void assertFailure(int exitCode, String message, Object[] common, Object... more) {
        List<Object> all = new ArrayList<>(List.of(common));
        all.addAll(List.of(more));
        CommandLineRun run = CommandLineRun.of(all.toArray());
        assertThat(run.exitCode()).as(run.err()).isEqualTo(exitCode);
        assertThat(run.err()).contains("rankine: ").contains(message).doesNotContain("\tat ");
    }
}
