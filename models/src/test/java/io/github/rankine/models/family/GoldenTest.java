package io.github.rankine.models.family;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.engine.generate.Logits;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.lora.AdapterWeights;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.engine.train.Sample;
import io.github.rankine.engine.train.Schedule;
import io.github.rankine.engine.train.StepMetrics;
import io.github.rankine.engine.train.Trainer;
import io.github.rankine.engine.train.TrainingConfig;
import io.github.rankine.engine.train.TrainingListener;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.peft.PeftAdapter;
import io.github.rankine.models.safetensors.SafetensorsFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Logits, loss, gradients and ten steps of every family beside what PyTorch, Transformers and PEFT computed. */
class GoldenTest {
    private static final int BATCH = 2;
    private static final int STEPS = 10;

    static Stream<Arguments> cases() {
        return Stream.concat(Fixtures.CASES.stream(), Fixtures.QUANTIZED.stream())
                .flatMap(name -> Stream.of("vector", "reference").map(kernels -> Arguments.of(name, kernels)));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void baseAdapterAndMergedLogits(String name, String kernelsName) {
        try (Case c = new Case(name, kernelsName)) {
            c.assertLogits("base.logits");
            c.decoder().activate(c.adapter);
            c.assertLogits("lora.logits");
            c.decoder().activate();
            c.assertLogits("base.logits");
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void lossAndGradients(String name, String kernelsName) {
        try (Case c = new Case(name, kernelsName);
                Trainer trainer = c.trainer(1, false)) {
            List<StepMetrics> steps = run(trainer);
            assertThat(steps.getFirst().loss()).isCloseTo(c.golden("lora.loss")[0], relative(1e-5));
            for (Parameter parameter : c.adapter.parameters()) {
                float[] expected = c.golden("grad.base_model.model." + parameter.name());
                assertThat(worst(parameter.gradient().toArray(), expected))
                        .as(parameter.name())
                        .isLessThan(1e-4);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void tenSteps(String name, String kernelsName) {
        try (Case c = new Case(name, kernelsName);
                Trainer trainer = c.trainer(STEPS, false)) {
            List<StepMetrics> steps = run(trainer);
            float[] losses = c.golden("train.losses");
            float[] norms = c.golden("train.grad_norms");
            for (int i = 0; i < STEPS; i++) {
                assertThat(steps.get(i).loss()).as("loss %s", i).isCloseTo(losses[i], relative(1e-3));
                assertThat(steps.get(i).gradNorm()).as("norm %s", i).isCloseTo(norms[i], relative(1e-3));
            }
            for (Parameter parameter : c.adapter.parameters()) {
                float[] expected = c.golden("after.base_model.model." + parameter.name());
                assertThat(worst(parameter.value().asTensor().toArray(), expected))
                        .as(parameter.name())
                        .isLessThan(2e-3);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void tenStepsWithRecomputedBlocksAreTheSame(String name, String kernelsName) {
        try (Case kept = new Case(name, kernelsName);
                Trainer trainer = kept.trainer(STEPS, false);
                Case recomputed = new Case(name, kernelsName);
                Trainer again = recomputed.trainer(STEPS, true)) {
            assertThat(run(again).stream().map(StepMetrics::loss))
                    .isEqualTo(run(trainer).stream().map(StepMetrics::loss).toList());
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void mergedLogits(String name, String kernelsName) {
        try (Case c = new Case(name, kernelsName)) {
            LoraAdapter trained = c.trainedByPyTorch();
            c.decoder().merge(c.kernels, trained);
            c.assertLogits("merged.logits");
            c.decoder().unmerge();
            c.assertLogits("base.logits");
            c.decoder().activate(trained);
            c.assertLogits("merged.logits");
        }
    }

    private static List<StepMetrics> run(Trainer trainer) {
        List<StepMetrics> steps = new ArrayList<>();
        trainer.run(new TrainingListener() {
            @Override
            public void step(StepMetrics metrics) {
                steps.add(metrics);
            }
        });
        return steps;
    }

    private static org.assertj.core.data.Percentage relative(double share) {
        return org.assertj.core.data.Percentage.withPercentage(100 * share);
    }

    /** The largest difference as a share of the largest element. */
    private static double worst(float[] actual, float[] expected) {
        assertThat(actual).hasSameSizeAs(expected);
        double difference = 0;
        double largest = 0;
        for (int i = 0; i < expected.length; i++) {
            difference = Math.max(difference, Math.abs(actual[i] - expected[i]));
            largest = Math.max(largest, Math.abs(expected[i]));
        }
        return difference / largest;
    }

    /** A fixture with everything open. */
    private static final class Case implements AutoCloseable {
        private final Arena arena = Arena.ofShared();
        private final Kernels kernels;
        private final CausalLanguageModel model;
        private final SafetensorsFile golden;
        private final LoraAdapter adapter;
        private final List<Sample> samples = new ArrayList<>();

        Case(String name, String kernelsName) {
            Path folder = Fixtures.folder(name);
            kernels = KernelsLookup.named(kernelsName, 2);
            assertThat(kernels.name()).isEqualTo(kernelsName);
            model = CausalLanguageModel.open(folder.resolve("model"));
            golden = SafetensorsFile.open(folder.resolve("golden.safetensors"));
            try (PeftAdapter files = PeftAdapter.open(folder.resolve("adapter"))) {
                adapter = LoraAdapter.of(files.config().lora(), decoder().shape(), files.weights(), arena);
            }
            samples.addAll(Fixtures.batch(golden));
            assertThat(samples.get(1).length()).isLessThan(samples.get(0).length());
        }

        LoraAdapter trainedByPyTorch() {
            Map<String, LoraWeights> factors = new HashMap<>();
            adapter.modules().keySet().forEach(module -> {
                String key = "after.base_model.model." + module;
                factors.put(
                        module,
                        new LoraWeights(
                                golden.weight(key + ".lora_A.weight"),
                                golden.weight(key + ".lora_B.weight"),
                                adapter.config().dora() ? golden.weight(key + ".lora_magnitude_vector") : null));
            });
            return LoraAdapter.of(adapter.config(), decoder().shape(), AdapterWeights.of(factors), arena);
        }

        Decoder decoder() {
            return model.decoder();
        }

        Trainer trainer(int steps, boolean recompute) {
            decoder().activate(adapter);
            TrainingConfig config = TrainingConfig.builder()
                    .learningRate(5e-3)
                    .weightDecay(0.01)
                    .schedule(Schedule.CONSTANT)
                    .steps(steps)
                    .batchSize(BATCH)
                    .shuffle(false)
                    .recompute(recompute)
                    .build();
            return new Trainer(decoder(), kernels, adapter.parameters(), samples, List.of(), config);
        }

        float[] golden(String tensor) {
            Weight weight = golden.weight(tensor);
            return weight.toTensor(arena).toArray();
        }

        /** Compares the rows that are not padding; they come first in each sequence. */
        void assertLogits(String tensor) {
            MemorySegment expected = golden.bytes(tensor);
            int vocabulary = decoder().vocabularySize();
            int padded = samples.getFirst().length();
            for (int row = 0; row < BATCH; row++) {
                Sample sample = samples.get(row);
                Tensor actual = Tensor.allocate(arena, sample.length(), vocabulary);
                Logits.of(decoder(), kernels, sample.inputIds(), actual);
                float[] wanted = expected.asSlice(4L * row * padded * vocabulary, 4L * sample.length() * vocabulary)
                        .toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
                assertThat(worst(actual.toArray(), wanted))
                        .as(tensor + " of row " + row)
                        .isLessThan(1e-4);
            }
        }

        @Override
        public void close() {
            golden.close();
            model.close();
            kernels.close();
            arena.close();
        }
    }
}
