package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import io.github.rankine.models.peft.PeftAdapter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FinetuneCommandTest {
    @TempDir
    Path folder;

    private CommandLineRun finetune(Path output, Object... more) {
        return CommandLineRun.of(new TrainingExample(folder).arguments(output, more));
    }

    @Test
    void writesAnAdapterThatPredictsBetter() throws IOException {
        Path output = folder.resolve("out");
        CommandLineRun run = finetune(output);
        assertThat(run.exitCode()).as(run.err()).isZero();
        assertThat(run.out())
                .startsWith(output + ": adapter after 24 steps and ")
                .endsWith(" in best/)\n");
        assertThat(run.err())
                .contains("train.jsonl: 30 samples")
                .contains("memory: frozen weights ")
                .contains("step 1/24: loss ")
                .contains(", eval loss ")
                .contains("step 24/24: loss ");

        List<String> lines = Files.readAllLines(output.resolve("metrics.jsonl"));
        assertThat(lines).hasSize(24);
        for (int i = 0; i < lines.size(); i++) {
            JsonObject line = Json.parseObject(lines.get(i), "line " + i);
            assertThat(line.integer("step", 1, 24)).isEqualTo(i + 1);
            assertThat(line.names())
                    .startsWith(
                            "step",
                            "epoch",
                            "loss",
                            "grad_norm",
                            "learning_rate",
                            "tokens",
                            "tokens_per_second",
                            "memory_bytes");
            assertThat(line.has("eval_loss")).as("line %s", i).isEqualTo(i == 9 || i == 19 || i == 23);
        }
        if (Fonts.areThere()) {
            assertThat(ImageIO.read(output.resolve("loss.png").toFile()).getWidth())
                    .isEqualTo(900);
        }

        double base = evaluate();
        double adapted = evaluate("--adapter", output);
        JsonObject last = Json.parseObject(lines.getLast(), "last");
        assertThat(adapted).isLessThan(base - 0.3);
        assertThat(last.number("eval_loss", 0, 100)).isEqualTo(adapted, offset(1e-5));
    }

    private double evaluate(Object... more) {
        Object[] words = {
            "evaluate", "--model", Fixture.of("llama-gqa").model(), "--data", folder.resolve("valid.jsonl"), "--json"
        };
        Object[] all = Stream.concat(Arrays.stream(words), Arrays.stream(more)).toArray();
        return Json.parseObject(CommandLineRun.of(all).out(), "evaluate").number("loss", 0, 100);
    }

    @Test
    void resumesWhatIsFinishedByChangingNothing() {
        Path output = folder.resolve("out");
        CommandLineRun first = finetune(output, "--json");
        JsonNode result = Json.parse(first.out(), "out");
        assertThat(result.get("steps").intValue()).isEqualTo(24);
        assertThat(result.get("best_eval_loss").doubleValue())
                .isLessThanOrEqualTo(result.get("eval_loss").doubleValue());
        List<byte[]> before = TrainingExample.reproducible(output);
        CommandLineRun again = finetune(output, "--json", "--resume");
        assertThat(again.exitCode()).isZero();
        assertThat(again.out()).isEqualTo(first.out());
        assertThat(again.err()).contains(output + ": finished already, all 24 steps; nothing changed");
        assertThat(TrainingExample.reproducible(output)).containsExactlyElementsOf(before);

        CommandLineRun afresh = finetune(output);
        assertThat(afresh.exitCode()).isEqualTo(1);
        assertThat(afresh.err()).startsWith("rankine: " + output + ": holds a run saved at step 24: --resume");
    }

    @Test
    void recomputationGivesTheSameFilesAndMayChangeWhenResumed() {
        Path kept = folder.resolve("kept");
        assertThat(finetune(kept, "--recompute", "off").exitCode()).isZero();
        Path recomputed = folder.resolve("recomputed");
        CommandLineRun run = finetune(recomputed, "--recompute", "on");
        assertThat(run.exitCode()).as(run.err()).isZero();
        assertThat(run.err()).contains("; blocks are computed again in the backward pass");
        assertThat(TrainingExample.reproducible(recomputed))
                .containsExactlyElementsOf(TrainingExample.reproducible(kept));
        assertThat(finetune(recomputed, "--resume").exitCode()).isZero();
    }

    @Test
    void whatDoesNotFitTheLimitIsRefusedBeforeItBegins() {
        Path output = folder.resolve("out");
        CommandLineRun run = finetune(output, "--memory-limit", "100k");
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.err().lines().toList().getLast())
                .startsWith("rankine: the run needs ")
                .contains("--memory-limit allows 100.0 KiB");
        assertThat(output).doesNotExist();
    }

    @Test
    void resumingWithNothingSavedStartsFromTheBeginning() {
        Path output = folder.resolve("out");
        CommandLineRun run = finetune(output, "--resume");
        assertThat(run.exitCode()).isZero();
        assertThat(run.err()).contains(output + ": nothing saved yet, starting from the beginning");
    }

    @Test
    void optionsComeFromAYamlFileAndFlagsWin() throws IOException {
        Path yaml = Files.writeString(folder.resolve("run.yaml"), """
            model: %s
            data: %s
            output: %s
            steps: 3
            rank: 2
            learning-rate: 1e-3
            target-modules: [q_proj, v_proj]
            packing: true
            no-shuffle: true
            threads: 1
            """.formatted(
                        Fixture.of("llama-gqa").model(), new TrainingExample(folder).data(), folder.resolve("yaml")));
        CommandLineRun run = CommandLineRun.of("finetune", "--config", yaml, "--rank", "4", "--packing", "--json");
        assertThat(run.exitCode()).as(run.err()).isZero();
        assertThat(Json.parse(run.out(), "out").get("steps").intValue()).isEqualTo(3);

        CommandLineRun flags = CommandLineRun.of(
                "finetune",
                "--model",
                Fixture.of("llama-gqa").model(),
                "--data",
                folder.resolve("train.jsonl"),
                "--output",
                folder.resolve("flags"),
                "--steps=3",
                "--rank=4",
                "--learning-rate=0.001",
                "--target-modules=q_proj,v_proj",
                "--packing",
                "--no-shuffle");
        assertThat(flags.exitCode()).as(flags.err()).isZero();
        for (String name : List.of("adapter_model.safetensors", "adapter_config.json", "training_state.safetensors")) {
            assertThat(TrainingExample.bytes(folder.resolve("yaml").resolve(name)))
                    .as(name)
                    .isEqualTo(TrainingExample.bytes(folder.resolve("flags").resolve(name)));
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "learning_rate: 1e-3     | 1 | unknown key 'learning_rate'; write learning-rate",
                "lerning-rate: 1e-3      | 1 | unknown key 'lerning-rate'; the keys are the options of 'rankine"
                        + " finetune --help'",
                "config: other.yaml      | 1 | unknown key 'config'",
                "rank: {a: 1}            | 1 | rank: expected a value, or a list of values",
                "rank: [[1]]             | 1 | rank: expected a list of plain values",
                "'rank: [1'              | 1 | not valid YAML",
                "just words              | 1 | expected options, one a line",
                "rank: eight             | 2 | Invalid value for option '--rank'",
                "rank: 0                 | 2 | rank 0: a LoRA rank is at least 1",
            })
    void aBadYamlFileIsOneLine(String text, int exitCode, String complaint) throws IOException {
        Path yaml = Files.writeString(folder.resolve("run.yaml"), text);
        CommandLineRun run = CommandLineRun.of(
                "finetune",
                "--config=" + yaml,
                "--model",
                Fixture.of("llama-gqa").model(),
                "--data",
                new TrainingExample(folder).data(),
                "--output",
                folder.resolve("out"));
        assertThat(run.exitCode()).as(run.err()).isEqualTo(exitCode);
        assertThat(run.err().lines().findFirst().orElse(""))
                .startsWith("rankine: ")
                .contains(complaint);
        assertThat(run.err().lines()).hasSize(exitCode == 2 ? 2 : 1);
        assertThat(folder.resolve("out")).doesNotExist();
    }

    @Test
    void anInitialAdapterBringsItsConfigurationAndIsNotContradicted() {
        Fixture fixture = Fixture.of("llama-gqa");
        try (PeftAdapter stored = PeftAdapter.open(fixture.adapter())) {
            int rank = stored.config().lora().rank();
            Path output = folder.resolve("out");
            CommandLineRun contradicted = initialised(output, "--rank", rank + 1);
            assertThat(contradicted.exitCode()).isEqualTo(2);
            assertThat(contradicted.err())
                    .contains("--rank " + (rank + 1) + " contradicts --init-adapter " + fixture.adapter()
                            + ", which has " + rank);
            assertThat(output).doesNotExist();

            CommandLineRun run = initialised(output, "--rank", rank);
            assertThat(run.exitCode()).as(run.err()).isZero();
            try (PeftAdapter trained = PeftAdapter.open(output)) {
                assertThat(trained.modules().keySet())
                        .containsExactlyInAnyOrderElementsOf(stored.modules().keySet());
                assertThat(trained.config().lora()).isEqualTo(stored.config().lora());
            }
        }
    }

    private CommandLineRun initialised(Path output, Object... more) {
        Fixture fixture = Fixture.of("llama-gqa");
        Object[] words = {
            "finetune",
            "--model",
            fixture.model(),
            "--data",
            new TrainingExample(folder).data(),
            "--output",
            output,
            "--init-adapter",
            fixture.adapter(),
            "--steps",
            "2"
        };
        return CommandLineRun.of(
                Stream.concat(Arrays.stream(words), Arrays.stream(more)).toArray());
    }

    @Test
    void aRankLargerThanSomeMatrixIsNoted() {
        CommandLineRun run = CommandLineRun.of(
                "finetune",
                "--model",
                Fixture.of("llama-gqa").model(),
                "--data",
                new TrainingExample(folder).data(),
                "--output",
                folder.resolve("out"),
                "--rank=40",
                "--steps=1");
        assertThat(run.exitCode()).as(run.err()).isZero();
        assertThat(run.err())
                .contains("rankine: note: the rank is larger than a side of model.layers.0.self_attn.k_proj");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--rank=0              | 2 | rank 0: a LoRA rank is at least 1",
                "--learning-rate=NaN   | 2 | learning rate NaN: must be a positive number",
                "--save-every=0        | 2 | --save-every 0: must be at least 1",
                "--steps=0             | 2 | --steps 0: must be at least 1",
                "--max-length=1        | 2 | at least 2 tokens",
                "--target-modules=c_attn | 1 | target module 'c_attn' is not in this model; its linear layers are"
                        + " q_proj",
                "--target-modules=q_proj,nope | 1 | target module 'nope' is not in this model; its linear layers are",
                "--target-modules=nope.* | 1 | target modules match nothing in this model; its linear layers are"
                        + " q_proj",
                "--target-modules=q_(  | 2 | is not a regular expression",
                "--rank=1000           | 1 | rank 1000 is larger than every matrix it would adapt",
                "--kernels=fast        | 2 | --kernels fast: there are vector, reference",
                "--data=nowhere.jsonl  | 1 | nowhere.jsonl: no such file",
                "--model=nowhere       | 1 | nowhere",
                "--init-adapter=nowhere | 1 | nowhere: no such folder",
            })
    void badInputIsOneLineAndWritesNothing(String option, int exitCode, String complaint) {
        Path output = folder.resolve("out");
        String name = option.substring(0, option.indexOf('='));
        Object[] words = new TrainingExample(folder).arguments(output);
        List<Object> all = new ArrayList<>(List.of(words));
        int at = all.indexOf(name);
        if (at >= 0) {
            all.subList(at, at + 2).clear();
        }
        if (name.equals("--init-adapter")) {
            all.subList(all.indexOf("--rank"), all.indexOf("--rank") + 2).clear();
        }
        all.add(option);
        CommandLineRun run = CommandLineRun.of(all.toArray());
        assertThat(run.exitCode()).as(run.err()).isEqualTo(exitCode);
        assertThat(run.out()).isEmpty();
        assertThat(run.err().lines().filter(line -> line.startsWith("rankine: ")))
                .singleElement()
                .asString()
                .contains(complaint);
        assertThat(output).doesNotExist();
    }
}
