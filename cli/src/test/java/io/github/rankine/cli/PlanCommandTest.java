package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class PlanCommandTest {
    @TempDir
    Path folder;

    private static final Path GPT3 = Path.of("../docs/gpt3/config.json");

    @Test
    void givesTheLoraPapersCountForGpt3() {
        CommandLineRun run = CommandLineRun.of(
                "plan", "--model", GPT3, "--target-modules", "q_proj,v_proj", "--rank", 4, "--batch-size", 1);
        assertThat(run.exitCode()).isZero();
        assertThat(run.err()).isEmpty();
        assertThat(run.out())
                .startsWith("trains 18.87M of 175.2B parameters, 0.01077 % (18,874,368 of 175,202,537,472)\n");
    }

    @Test
    void memoryIsToldByKind() {
        JsonObject result = plan("--rank", 4);
        JsonObject memory = result.object("memory_bytes").orElseThrow();
        // llama-gqa has 7 linear layers in each of its 2 blocks; float32.
        int adapter = 2 * 4 * ((64 + 64) + 2 * (64 + 32) + (64 + 64) + 3 * (64 + 160));
        assertThat(result.integer("trainable_parameters", 0, 1 << 30)).isEqualTo(adapter);
        assertThat(memory.integer("adapter", 0, 1 << 30))
                .as("parameters and gradients")
                .isEqualTo(2 * 4 * adapter);
        assertThat(memory.integer("optimizer", 0, 1 << 30)).as("two moments").isEqualTo(2 * 4 * adapter);
        assertThat(memory.integer("weights", 0, 1 << 30))
                .isEqualTo(4 * (result.integer("total_parameters", 0, 1 << 30) - adapter));
        int parts = 0;
        for (String kind : List.of("weights", "adapter", "optimizer", "activations", "logits")) {
            assertThat(memory.integer(kind, 1, 1 << 30)).isPositive();
            parts += memory.integer(kind, 1, 1 << 30);
        }
        assertThat(memory.integer("total", 0, 1 << 30)).isEqualTo(parts);
    }

    @Test
    void activationsGrowWithTheBatch() {
        assertThat(activations("--batch-size", 8)).isGreaterThan(activations("--batch-size", 2));
        assertThat(activations("--max-length", 100)).isGreaterThan(activations("--max-length", 50));
    }

    @Test
    void recomputationIsPlannedWhereTheRunWouldNotFitWithout() {
        int kept = activations("--recompute", "off");
        int recomputed = activations("--recompute", "on");
        assertThat(recomputed).isLessThan(kept);
        assertThat(activations()).isEqualTo(kept);
        int total = plan().object("memory_bytes").orElseThrow().integer("total", 0, Integer.MAX_VALUE);
        assertThat(activations("--memory-limit", total)).isEqualTo(kept);
        assertThat(activations("--memory-limit", total - 1)).isEqualTo(recomputed);
        CommandLineRun tight =
                CommandLineRun.of("plan", "--model", Fixture.of("llama-gqa").model(), "--memory-limit", total - 1);
        assertThat(tight.out()).contains("with each block computed again in the backward pass");
        CommandLineRun tooTight =
                CommandLineRun.of("plan", "--model", Fixture.of("llama-gqa").model(), "--memory-limit", "1k");
        assertThat(tooTight.out()).contains("does not fit: --memory-limit allows 1.000 KiB");
    }

    private static int activations(Object... options) {
        return plan(options).object("memory_bytes").orElseThrow().integer("activations", 0, Integer.MAX_VALUE);
    }

    @Test
    void anAdapterToGoOnWithBringsItsOwnConfiguration() {
        Path adapter = Fixture.of("llama-gqa").adapter();
        assertThat(plan("--init-adapter", adapter))
                .satisfies(result -> assertThat(result.integer("trainable_parameters", 0, 1 << 30))
                        .isEqualTo(plan("--rank", 8).integer("trainable_parameters", 0, 1 << 30)));
        assertThat(plan("--init-adapter", adapter, "--rank", 8, "--alpha", 16, "--target-modules", "all-linear")
                        .has("trainable_parameters"))
                .isTrue();
        for (Object[] contradiction : List.of(
                new Object[] {"--rank", 4}, new Object[] {"--alpha", 8}, new Object[] {"--rslora"}, new Object[] {
                    "--target-modules", "q_proj"
                })) {
            List<Object> options = new ArrayList<>(List.of("--init-adapter", adapter));
            options.addAll(List.of(contradiction));
            CommandLineRun run = CommandLineRun.of(command(options.toArray()));
            assertThat(run.exitCode()).as("%s", options).isEqualTo(2);
            assertThat(run.err()).contains(contradiction[0] + " ").contains("contradicts --init-adapter");
        }
    }

    @Test
    void fullTrainingTakesWeightGradientAndTwoMomentsOfEachParameter() {
        long all = plan("--full").integer("total_parameters", 0, 1 << 30);
        assertThat(plan("--full").integer("trainable_parameters", 0, 1 << 30)).isEqualTo((int) all);
        JsonNode memory = plan("--full").get("memory_bytes");
        assertThat(memory.get("weights").longValue()).isZero();
        assertThat(memory.get("adapter").longValue()).isEqualTo(8 * all);
        assertThat(memory.get("optimizer").longValue()).isEqualTo(8 * all);
        assertThat(plan("--full", "--target-modules", "q_proj").integer("trainable_parameters", 0, 1 << 30))
                .isPositive()
                .isLessThan((int) all / 4);
        assertThat(refused(2, "--full", "--rank", 4)).contains("--rank is for adapters, and --full trains none");
    }

    @Test
    void finetunesCommandLineCanBePlannedAsItIs() {
        Map<String, CommandLine> commands = new CommandRunner(new Terminal(new Output(System.out), System.err, false))
                .commandLine()
                .getSubcommands();
        Set<String> options =
                commands.get("finetune").getCommandSpec().optionsMap().keySet();
        assertThat(commands.get("plan").getCommandSpec().optionsMap().keySet()).containsAll(options);
    }

    @Test
    void withDataTheActivationsAreThoseOfItsLargestBatch() throws IOException {
        Path data = folder.resolve("data.jsonl");
        Files.writeString(data, "{\"input_ids\": [1, 2, 3, 4, 5, 6]}\n{\"input_ids\": [1, 2]}\n");
        assertThat(activations("--data", data, "--batch-size", 1))
                .isEqualTo(activations("--max-length", 6, "--batch-size", 1));
        assertThat(activations("--data", data, "--batch-size", 2))
                .isGreaterThan(activations("--data", data, "--batch-size", 1));
    }

    @Test
    void badOptionsAreNamed() {
        assertThat(refused(2, "--batch-size", 65536, "--max-length", 65536)).contains("no machine holds such a batch");
        assertThat(refused(2, "--rank", 0)).contains("rank 0: a LoRA rank is at least 1");
        assertThat(refused(2, "--learning-rate", "NaN")).contains("learning rate NaN");
        assertThat(refused(2, "--steps", 0)).contains("--steps 0: must be at least 1");
        assertThat(refused(2, "--target-modules", "(q_proj")).contains("is not a regular expression");
        assertThat(refused(2, "--schedule", "square")).contains("--schedule");
        assertThat(refused(1, "--rank", 1000)).contains("larger than every matrix");
        assertThat(refused(1, "--target-modules", "query")).contains("q_proj, k_proj, v_proj, o_proj");
    }

    private static String refused(int exitCode, Object... options) {
        CommandLineRun run = CommandLineRun.of(command(options));
        assertThat(run.exitCode()).isEqualTo(exitCode);
        assertThat(run.out()).isEmpty();
        return run.err().lines().findFirst().orElseThrow();
    }

    private static JsonObject plan(Object... options) {
        List<Object> args = new ArrayList<>(List.of(command(options)));
        args.add("--json");
        CommandLineRun run = CommandLineRun.of(args.toArray());
        assertThat(run.err()).isEmpty();
        return Json.parseObject(run.out(), "standard output");
    }

    private static Object[] command(Object... options) {
        List<Object> args = new ArrayList<>(
                List.of("plan", "--model", Fixture.of("llama-gqa").model()));
        args.addAll(List.of(options));
        return args.toArray();
    }
}
