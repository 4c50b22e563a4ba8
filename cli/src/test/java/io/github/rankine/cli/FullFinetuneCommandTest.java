package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.safetensors.Checkpoint;
import io.github.rankine.models.safetensors.TensorInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FullFinetuneCommandTest {
    @TempDir
    private Path folder;

    private CommandLineRun finetune(Path model, Path output, Object... more) {
        TrainingExample example = new TrainingExample(folder);
        List<Object> all = new ArrayList<>(List.of(
                "finetune",
                "--full",
                "--model",
                model,
                "--data",
                example.data(),
                "--eval-data",
                example.evalData(),
                "--learning-rate",
                2e-3,
                "--steps",
                12,
                "--output",
                output));
        all.addAll(List.of(more));
        return CommandLineRun.of(all.toArray());
    }

    private double loss(Path model) {
        CommandLineRun run = CommandLineRun.of(
                "evaluate", "--model", model, "--data", new TrainingExample(folder).evalData(), "--json");
        assertThat(run.exitCode()).as(run.err()).isZero();
        return Json.parse(run.out(), "standard output").get("loss").doubleValue();
    }

    @Test
    void theCheckpointIsAModelWithItsTokenizerThatPredictsBetter() {
        Path base = TinyModel.write(folder.resolve("base"));
        Path output = folder.resolve("full");
        CommandLineRun run = finetune(base, output, "--json");
        assertThat(run.exitCode()).as(run.err()).isZero();
        assertThat(run.err()).contains("trained in full: ").contains("frozen weights 0 bytes, trained weights ");
        JsonNode result = Json.parse(run.out(), "standard output");
        assertThat(loss(output))
                .isEqualTo(result.get("eval_loss").doubleValue())
                .isLessThan(loss(base) - 0.5);
        assertThat(output.resolve("tokenizer.json")).hasSameBinaryContentAs(base.resolve("tokenizer.json"));
        CommandLineRun generate =
                CommandLineRun.of("generate", "--model", output, "--prompt", "one", "--max-new-tokens", 3);
        assertThat(generate.exitCode()).as(generate.err()).isZero();
    }

    @Test
    void targetModulesAreTrainedAloneAndTheRestStays() {
        Path base = Fixture.of("llama-gqa").model();
        Path output = folder.resolve("full");
        CommandLineRun run = finetune(base, output, "--target-modules", "q_proj,up_proj");
        assertThat(run.exitCode()).as(run.err()).isZero();
        try (Checkpoint before = Checkpoint.open(base);
                Checkpoint after = Checkpoint.open(output)) {
            for (TensorInfo tensor : before.tensors()) {
                boolean changed = before.bytes(tensor.name()).mismatch(after.bytes(tensor.name())) >= 0;
                assertThat(changed)
                        .as(tensor.name())
                        .isEqualTo(tensor.name().matches(".*\\.(q_proj|up_proj)\\.weight"));
            }
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--rank 4 | 2 | --rank is for adapters, and --full trains none",
                "--init-adapter x | 2 | --init-adapter is for adapters, and --full trains none",
                "--target-modules nope | 1 | target module 'nope' is not in this model",
                "--dtype int8 | 2 | is not one of float32, bfloat16, float16",
                "--memory-limit 100k | 1 | leave out --full",
            })
    void badInputIsOneLineAndWritesNothing(String option, int exitCode, String complaint) {
        Path output = folder.resolve("full");
        CommandLineRun run = finetune(Fixture.of("llama-gqa").model(), output, (Object[])
                option.strip().split(" "));
        assertThat(run.exitCode()).as(run.err()).isEqualTo(exitCode);
        assertThat(run.err().lines().filter(line -> line.startsWith("rankine: ")))
                .singleElement()
                .asString()
                .contains(complaint);
        assertThat(output).doesNotExist();
    }

    @Test
    void aTypeIsForFullTrainingOnly() {
        CommandLineRun run =
                CommandLineRun.of(new TrainingExample(folder).arguments(folder.resolve("out"), "--dtype", "float32"));
        assertThat(run.exitCode()).isEqualTo(2);
        assertThat(run.err()).contains("--dtype is for --full");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"rank_pattern\": {\"model.layers.9.nothing\": 3}} | rank_pattern 'model.layers.9.nothing' matches"
                        + " none",
                "{\"rank_pattern\": {\"q_proj\": 0}} | ranks.json: rank_pattern.q_proj: 0, expected a rank of at least"
                        + " 1",
                "{\"ranks\": 3} | rank_pattern",
                "nonsense | ranks.json",
            })
    void ranksOfSingleModulesAreChecked(String text, String complaint) throws IOException {
        Path file = Files.writeString(folder.resolve("ranks.json"), text.strip());
        Path output = folder.resolve("out");
        CommandLineRun run = CommandLineRun.of(new TrainingExample(folder).arguments(output, "--rank-pattern", file));
        assertThat(run.exitCode()).as(run.err()).isNotZero();
        assertThat(run.err().lines().filter(line -> line.startsWith("rankine: ")))
                .singleElement()
                .asString()
                .contains(complaint);
        assertThat(output).doesNotExist();
    }
}
