package io.github.rankine.models.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.train.Evaluation;
import io.github.rankine.engine.train.NonFiniteLossException;
import io.github.rankine.engine.train.Sample;
import io.github.rankine.engine.train.StepMetrics;
import io.github.rankine.engine.train.TrainingConfig;
import io.github.rankine.engine.train.TrainingListener;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.peft.PeftAdapter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FineTuneTest {
    private static final int STEPS = 12;
    private static final LoraConfig LORA =
            LoraConfig.of(4, 8, new ModuleSelector.AllLinear()).withDropout(0.1);

    @TempDir
    Path temporary;

    /** What a kill leaves behind, without one: the run ends at once, and nothing is saved on the way out. */
    private static final class Killed extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    /** The moments of a step at which something may end it. */
    private enum Moment {
        AFTER_UPDATE,
        AFTER_EVALUATION,
        AFTER_LOGGING
    }

    @Test
    void writesTheAdapterTheBestOneTheLogAndTheState() {
        Path output = temporary.resolve("out");
        run(output, false, config(b -> b), new TrainingListener() {});
        assertThat(names(output))
                .containsExactly(
                        "README.md",
                        "adapter_config.json",
                        "adapter_model.safetensors",
                        "best",
                        "metrics.jsonl",
                        "training_state.safetensors");
        assertThat(names(output.resolve("best")))
                .containsExactly("README.md", "adapter_config.json", "adapter_model.safetensors");
        List<MetricsEntry> log = MetricsLog.read(output.resolve("metrics.jsonl"));
        assertThat(log).extracting(MetricsEntry::step).containsExactlyElementsOf(range(1, STEPS));
        assertThat(log.stream().filter(entry -> entry.evalLoss().isPresent()).map(MetricsEntry::step))
                .containsExactly(5, 10, 12);
        assertThat(log).allSatisfy(entry -> {
            assertThat(entry.memoryBytes()).isGreaterThan(1 << 20);
            assertThat(entry.tokens()).isPositive();
            assertThat(entry.tokensPerSecond()).isPositive();
        });
        assertThat(log.getLast().loss()).isLessThan(log.getFirst().loss());
        assertThat(bytes(output.resolve("README.md"))).asString().contains("- **Steps:** 12\n");
    }

    @Test
    void theBestAdapterIsTheOneThatEvaluatedBest() {
        Path output = temporary.resolve("out");
        // Learns the training data by heart, so that the held-out loss rises again.
        TrainingConfig config = config(b -> b.learningRate(0.05).evalEvery(1));
        run(output, false, config, new TrainingListener() {});
        List<MetricsEntry> log = MetricsLog.read(output.resolve("metrics.jsonl"));
        MetricsEntry best = log.stream()
                .min(Comparator.comparingDouble(entry -> entry.evalLoss().getAsDouble()))
                .orElseThrow();
        assertThat(best.step()).isLessThan(STEPS);
        Path stoppedThere = temporary.resolve("stopped");
        run(stoppedThere, false, config, stopAfter(best.step()));
        assertThat(bytes(output.resolve("best/adapter_model.safetensors")))
                .isEqualTo(bytes(stoppedThere.resolve("adapter_model.safetensors")))
                .isNotEqualTo(bytes(output.resolve("adapter_model.safetensors")));
    }

    @Test
    void aRunKilledAtAnyMomentGoesOnAsIfItHadNot() {
        Path whole = temporary.resolve("whole");
        run(whole, false, config(b -> b), new TrainingListener() {});
        for (Moment moment : Moment.values()) {
            Path output = temporary.resolve(moment.name());
            for (int step : new int[] {1, 2, 5, 10, 12}) {
                if (moment != Moment.AFTER_EVALUATION || step >= 5) {
                    assertThatThrownBy(() -> run(output, true, config(b -> b), kill(moment, step)))
                            .isInstanceOf(Killed.class);
                }
            }
            run(output, true, config(b -> b), new TrainingListener() {});
            assertSameRun(output, whole);
        }
    }

    @Test
    void aRunStoppedAtAnyStepGoesOnAsIfItHadNot() {
        Path whole = temporary.resolve("whole");
        run(whole, false, config(b -> b), new TrainingListener() {});
        Path output = temporary.resolve("stopped");
        for (int step = 1; step < STEPS; step++) {
            run(output, true, config(b -> b), stopAfter(step));
            assertThat(MetricsLog.read(output.resolve("metrics.jsonl"))).hasSize(step);
        }
        run(output, true, config(b -> b), new TrainingListener() {});
        assertSameRun(output, whole);
    }

    @Test
    void aFileThatCannotBeWrittenCostsNothingSaved() throws IOException {
        Path whole = temporary.resolve("whole");
        run(whole, false, config(b -> b), new TrainingListener() {});
        for (String name : List.of("adapter_model.safetensors", "README.md", "training_state.safetensors")) {
            Path output = temporary.resolve(name);
            // A folder in the way fails as a full disk does.
            Path obstacle = output.resolve(name + ".tmp/in-the-way");
            assertThatThrownBy(() -> run(output, false, config(b -> b), new TrainingListener() {
                        @Override
                        public void completed(int step) {
                            if (step == 7) {
                                create(obstacle);
                            }
                        }
                    }))
                    .isInstanceOf(RankineException.class)
                    .hasMessageStartingWith(output.resolve(name) + ": cannot be written");
            Files.delete(obstacle);
            Files.delete(obstacle.getParent());
            try (TrainingState state = TrainingState.open(output.resolve("training_state.safetensors"))) {
                assertThat(state.step()).isEqualTo(5);
            }
            run(output, true, config(b -> b), new TrainingListener() {});
            assertSameRun(output, whole);
        }
    }

    private static void create(Path folder) {
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void aFinishedRunIsLeftAlone() {
        Path output = temporary.resolve("out");
        run(output, false, config(b -> b), new TrainingListener() {});
        List<byte[]> before = Stream.of("adapter_model.safetensors", "metrics.jsonl", "training_state.safetensors")
                .map(name -> bytes(output.resolve(name)))
                .toList();
        run(output, true, config(b -> b), kill(Moment.AFTER_UPDATE, STEPS));
        assertThat(Stream.of("adapter_model.safetensors", "metrics.jsonl", "training_state.safetensors")
                        .map(name -> bytes(output.resolve(name))))
                .containsExactlyElementsOf(before);
    }

    @Test
    void aRunThatSavedNoStepMayBeginAgainAndLeavesNothingBehind() {
        Path output = temporary.resolve("out");
        assertThatThrownBy(() -> run(output, false, config(b -> b), kill(Moment.AFTER_LOGGING, 2)))
                .isInstanceOf(Killed.class);
        TrainingConfig other = config(b -> b.seed(7));
        run(output, false, other, stopAfter(3));
        assertThat(MetricsLog.read(output.resolve("metrics.jsonl"))).hasSize(3);
        assertThatThrownBy(() -> run(output, false, other, new TrainingListener() {}))
                .isInstanceOf(RankineException.class)
                .hasMessage(
                        output + ": holds a run saved at step 3: --resume goes on with it, another --output starts a"
                                + " new one");
    }

    @Test
    void anotherRunsStateIsRefusedByTheSettingThatDiffers() {
        Path output = temporary.resolve("out");
        run(output, false, config(b -> b), stopAfter(3));
        assertRefused(output, config(b -> b.learningRate(0.5)), "the run began with learning-rate 0.01, not 0.5");
        assertRefused(output, config(b -> b.seed(1)), "the run began with seed 0, not 1");
        assertThatThrownBy(() ->
                        run(output, true, config(b -> b), LORA.withDropout(0.2), data(2), new TrainingListener() {}))
                .hasMessageContaining("the run began with dropout 0.1, not 0.2");
        assertThatThrownBy(() -> run(output, true, config(b -> b), LORA, data(3), new TrainingListener() {}))
                .hasMessageContaining("the data is not what the run began with");
        assertThat(MetricsLog.read(output.resolve("metrics.jsonl"))).hasSize(3);
    }

    private void assertRefused(Path output, TrainingConfig config, String reason) {
        assertThatThrownBy(() -> run(output, true, config, new TrainingListener() {}))
                .isInstanceOf(RankineException.class)
                .hasMessage(output.resolve("training_state.safetensors") + ": " + reason
                        + "; resume with what the run began with, or start a new one in another --output");
    }

    @Test
    void aDamagedStateIsRefused() throws IOException {
        Path output = temporary.resolve("out");
        run(output, false, config(b -> b), stopAfter(3));
        Path state = output.resolve("training_state.safetensors");
        byte[] whole = bytes(state);
        Files.write(state, Arrays.copyOf(whole, whole.length / 2));
        assertThatThrownBy(() -> run(output, true, config(b -> b), new TrainingListener() {}))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith(state + ": damaged");
        Files.copy(output.resolve("adapter_model.safetensors"), state, StandardCopyOption.REPLACE_EXISTING);
        assertThatThrownBy(() -> run(output, true, config(b -> b), new TrainingListener() {}))
                .isInstanceOf(RankineException.class)
                .hasMessage(state
                        + ": not a state that this version of Rankine saved; start a new run in another --output");
    }

    @Test
    void aLossThatIsNoNumberKeepsTheLastGoodState() {
        Path output = temporary.resolve("out");
        TrainingConfig config = config(b -> b.learningRate(1e30).maxGradNorm(0));
        assertThatThrownBy(() -> run(output, false, config, new TrainingListener() {}))
                .isInstanceOf(NonFiniteLossException.class);
        List<MetricsEntry> log = MetricsLog.read(output.resolve("metrics.jsonl"));
        assertThat(log).isNotEmpty().hasSizeLessThan(STEPS);
        try (TrainingState state = TrainingState.open(output.resolve("training_state.safetensors"));
                PeftAdapter adapter = PeftAdapter.open(output)) {
            assertThat(state.step()).isEqualTo(log.size());
            adapter.modules()
                    .values()
                    .forEach(module ->
                            assertThat(module.b().asTensor().toArray()).doesNotContain(Float.NaN));
        }
    }

    private void run(Path output, boolean resume, TrainingConfig config, TrainingListener listener) {
        run(output, resume, config, LORA, data(2), listener);
    }

    private static void run(
            Path output,
            boolean resume,
            TrainingConfig config,
            LoraConfig lora,
            TrainingData data,
            TrainingListener listener) {
        try (CausalLanguageModel model =
                        CausalLanguageModel.open(Fixtures.folder("llama-gqa").resolve("model"));
                Kernels kernels = KernelsLookup.named("vector", 1);
                Arena arena = Arena.ofShared()) {
            LoraAdapter adapter = LoraAdapter.initialize(lora, model.decoder().shape(), config.seed(), arena);
            RunFolder folder = new RunFolder(output);
            try (FineTune run = resume
                    ? FineTune.resume(model, kernels, new Trainee.Adapter(adapter), data, config, folder)
                    : FineTune.start(model, kernels, new Trainee.Adapter(adapter), data, config, folder)) {
                run.train(4, listener);
            }
        }
    }

    private static TrainingConfig config(UnaryOperator<TrainingConfig.Builder> changes) {
        return changes.apply(TrainingConfig.builder()
                        .learningRate(0.01)
                        .batchSize(2)
                        .gradientAccumulation(2)
                        .evalEvery(5)
                        .steps(STEPS))
                .build();
    }

    /** Sequences that count up, by a stride; an epoch of them has five steps. */
    private static TrainingData data(int stride) {
        return new TrainingData("counting.jsonl", samples(1, 18, stride), samples(2, 4, stride));
    }

    private static List<Sample> samples(long seed, int count, int stride) {
        Random random = new Random(seed);
        return IntStream.range(0, count)
                .mapToObj(_ -> {
                    int start = random.nextInt(200);
                    return Sample.of(IntStream.range(0, 6 + random.nextInt(8))
                            .map(i -> start + stride * i)
                            .toArray());
                })
                .toList();
    }

    private static TrainingListener stopAfter(int last) {
        return new TrainingListener() {
            private int done;

            @Override
            public void completed(int step) {
                done = step;
            }

            @Override
            public boolean stopRequested() {
                return done >= last;
            }
        };
    }

    private static TrainingListener kill(Moment moment, int at) {
        return new TrainingListener() {
            @Override
            public void step(StepMetrics metrics) {
                killIf(moment == Moment.AFTER_UPDATE && metrics.step() == at);
            }

            @Override
            public void evaluated(int step, Evaluation evaluation, boolean improved) {
                killIf(moment == Moment.AFTER_EVALUATION && step == at);
            }

            @Override
            public void completed(int step) {
                killIf(moment == Moment.AFTER_LOGGING && step == at);
            }

            private void killIf(boolean now) {
                if (now) {
                    throw new Killed();
                }
            }
        };
    }

    private static void assertSameRun(Path actual, Path expected) {
        for (String name : List.of(
                "adapter_model.safetensors",
                "adapter_config.json",
                "README.md",
                "training_state.safetensors",
                "best/adapter_model.safetensors",
                "best/README.md")) {
            assertThat(bytes(actual.resolve(name))).as(name).isEqualTo(bytes(expected.resolve(name)));
        }
        assertThat(steps(actual)).isEqualTo(steps(expected));
    }

    /** The log without what no two runs share: time and memory. */
    private static List<MetricsEntry> steps(Path output) {
        return MetricsLog.read(output.resolve("metrics.jsonl")).stream()
                .map(e -> new MetricsEntry(
                        e.step(), e.epoch(), e.loss(), e.gradNorm(), e.learningRate(), e.tokens(), 0, 0, e.evalLoss()))
                .toList();
    }

    private static List<Integer> range(int first, int last) {
        return IntStream.rangeClosed(first, last).boxed().toList();
    }

    private static List<String> names(Path folder) {
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.map(entry -> entry.getFileName().toString()).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] bytes(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
