package io.github.rankine.models.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.train.MemoryPlan;
import io.github.rankine.engine.train.Sample;
import io.github.rankine.engine.train.TrainingConfig;
import io.github.rankine.engine.train.TrainingListener;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.safetensors.Checkpoint;
import io.github.rankine.models.safetensors.StoredType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FullFineTuneTest {
    private static final Path BASE = Fixtures.folder("llama-gqa").resolve("model");
    private static final int STEPS = 6;

    @TempDir
    private Path temp;

    @Test
    void writesACheckpointOfTheTrainedWeights() {
        Path output = temp.resolve("full");
        run(output, false, DType.F32, 0);
        try (CausalLanguageModel base = CausalLanguageModel.open(BASE);
                CausalLanguageModel tuned = CausalLanguageModel.open(output);
                CausalLanguageModel best = CausalLanguageModel.open(output.resolve("best"))) {
            assertThat(tuned.checkpoint().orElseThrow().tensors())
                    .hasSameSizeAs(base.checkpoint().orElseThrow().tensors())
                    .allMatch(tensor -> tensor.type() == StoredType.F32);
            List<Parameter> before = List.copyOf(base.decoder().parameters());
            List<Parameter> after = List.copyOf(tuned.decoder().parameters());
            assertThat(after).hasSameSizeAs(before);
            for (int i = 0; i < before.size(); i++) {
                assertThat(after.get(i).name()).isEqualTo(before.get(i).name());
                assertThat(after.get(i)
                                .value()
                                .asTensor()
                                .segment()
                                .mismatch(before.get(i).value().asTensor().segment()))
                        .as(after.get(i).name())
                        .isNotNegative();
            }
            assertThat(best.decoder().parameters()).hasSameSizeAs(before);
        }
    }

    @Test
    void anotherTypeIsWrittenAndSaid() throws IOException {
        Path output = temp.resolve("full");
        run(output, false, DType.BF16, 0);
        try (CausalLanguageModel tuned = CausalLanguageModel.open(output)) {
            assertThat(tuned.checkpoint().orElseThrow().tensors()).allMatch(tensor -> tensor.type() == StoredType.BF16);
            assertThat(tuned.config().dtype()).contains(DType.BF16);
        }
        assertThat(Files.readString(output.resolve("config.json"))).contains("bfloat16");
    }

    @Test
    void aResumedRunIsTheUninterruptedOne() throws IOException {
        Path whole = temp.resolve("whole");
        Path parts = temp.resolve("parts");
        run(whole, false, DType.F32, 0);
        run(parts, false, DType.F32, 2);
        run(parts, true, DType.F32, 0);
        for (String file : List.of(Checkpoint.SINGLE, RunFolder.STATE, "best/" + Checkpoint.SINGLE)) {
            assertThat(Files.mismatch(whole.resolve(file), parts.resolve(file)))
                    .as(file)
                    .isEqualTo(-1);
        }
    }

    @Test
    void aRunOfAnotherKindIsNotResumed() {
        Path output = temp.resolve("full");
        run(output, false, DType.F32, 2);
        assertThatThrownBy(() -> run(output, true, DType.BF16, 0))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("the run began with dtype F32, not BF16");
        try (Arena arena = Arena.ofShared();
                Kernels kernels = KernelsLookup.named("vector", 1);
                CausalLanguageModel model = CausalLanguageModel.open(BASE)) {
            LoraAdapter adapter = LoraAdapter.initialize(
                    LoraConfig.of(4, 8, new ModuleSelector.AllLinear()),
                    model.decoder().shape(),
                    0,
                    arena);
            assertThatThrownBy(() -> FineTune.resume(
                            model, kernels, new Trainee.Adapter(adapter), data(), config(), new RunFolder(output)))
                    .isInstanceOf(RankineException.class)
                    .hasMessageContaining("is not what the run began with");
        }
    }

    @Test
    void memoryIsPlannedForWeightsGradientsAndMoments() {
        try (CausalLanguageModel base = CausalLanguageModel.open(BASE)) {
            MemoryPlan plan =
                    FineTune.planWeights(base.config(), decoder -> List.copyOf(decoder.parameters()), data(), config());
            long elements = base.decoder().parameters().stream()
                    .mapToLong(parameter -> parameter.value().size())
                    .sum();
            assertThat(plan.weights()).isZero();
            assertThat(plan.adapter()).isEqualTo(8 * elements);
            assertThat(plan.optimizer()).isEqualTo(8 * elements);
            assertThat(plan.activations()).isPositive();
        }
    }

    private static void run(Path output, boolean resume, DType type, int stopAfter) {
        try (Arena arena = Arena.ofShared();
                Kernels kernels = KernelsLookup.named("vector", 1);
                CausalLanguageModel model = CausalLanguageModel.openForTraining(BASE, arena)) {
            Trainee trainee =
                    new Trainee.Weights("all", List.copyOf(model.decoder().parameters()), type);
            RunFolder folder = new RunFolder(output);
            try (FineTune run = resume
                    ? FineTune.resume(model, kernels, trainee, data(), config(), folder)
                    : FineTune.start(model, kernels, trainee, data(), config(), folder)) {
                int[] completed = new int[1];
                run.train(0, new TrainingListener() {
                    @Override
                    public void completed(int step) {
                        completed[0] = step;
                    }

                    @Override
                    public boolean stopRequested() {
                        return completed[0] == stopAfter;
                    }
                });
            }
        }
    }

    private static TrainingConfig config() {
        return TrainingConfig.builder()
                .learningRate(1e-3)
                .steps(STEPS)
                .batchSize(2)
                .evalEvery(3)
                .build();
    }

    private static TrainingData data() {
        return new TrainingData("counting.jsonl", samples(1, 10), samples(2, 3));
    }

    private static List<Sample> samples(long seed, int count) {
        Random random = new Random(seed);
        return IntStream.range(0, count)
                .mapToObj(_ -> {
                    int start = random.nextInt(200);
                    return Sample.of(IntStream.range(0, 10).map(i -> start + i).toArray());
                })
                .toList();
    }
}
