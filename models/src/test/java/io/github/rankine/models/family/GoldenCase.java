package io.github.rankine.models.family;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.engine.generate.Logits;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.train.Sample;
import io.github.rankine.engine.train.Schedule;
import io.github.rankine.engine.train.StepMetrics;
import io.github.rankine.engine.train.Trainer;
import io.github.rankine.engine.train.TrainingConfig;
import io.github.rankine.engine.train.TrainingListener;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.safetensors.SafetensorsFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.data.Percentage;

/** A fixture with everything open: a model, and the numbers that PyTorch, Transformers and PEFT computed with it. */
class GoldenCase implements AutoCloseable {
    /** Steps of training that the fixtures have. */
    static final int STEPS = 10;

    final Arena arena = Arena.ofShared();
    final Path folder;
    final Kernels kernels;
    final CausalLanguageModel model;
    final SafetensorsFile golden;
    private final List<Sample> samples;

    /** @param base the fixture that has the model */
    GoldenCase(String name, String base, String kernelsName) {
        folder = Fixtures.folder(name);
        kernels = Fixtures.kernels(kernelsName);
        model = CausalLanguageModel.open(Fixtures.folder(base).resolve("model"));
        golden = SafetensorsFile.open(folder.resolve("golden.safetensors"));
        samples = Fixtures.batch(golden);
        assertThat(samples.get(1).length()).isLessThan(samples.get(0).length());
    }

    Decoder decoder() {
        return model.decoder();
    }

    /** The optimiser and the batch that the fixtures were made with. */
    static TrainingConfig.Builder training(int steps) {
        return TrainingConfig.builder()
                .learningRate(5e-3)
                .weightDecay(0.01)
                .schedule(Schedule.CONSTANT)
                .steps(steps)
                .batchSize(2)
                .shuffle(false);
    }

    Trainer trainer(List<Parameter> trained, TrainingConfig config) {
        return new Trainer(decoder(), kernels, trained, samples, List.of(), config);
    }

    static List<StepMetrics> run(Trainer trainer) {
        List<StepMetrics> steps = new ArrayList<>();
        trainer.run(new TrainingListener() {
            @Override
            public void step(StepMetrics metrics) {
                steps.add(metrics);
            }
        });
        return steps;
    }

    /** A parameter's gradient, from where the kernels have it. */
    Tensor gradient(Parameter parameter) {
        kernels.fetch(parameter.gradient());
        return parameter.gradient();
    }

    float[] golden(String tensor) {
        return golden.weight(tensor).toTensor(arena).toArray();
    }

    void assertLoss(double loss) {
        assertThat(loss).isCloseTo(golden("lora.loss")[0], relative(1e-5));
    }

    void assertSteps(List<StepMetrics> steps) {
        assertThat(steps).hasSize(STEPS);
        for (int i = 0; i < STEPS; i++) {
            assertThat(steps.get(i).loss()).as("loss %s", i).isCloseTo(golden("train.losses")[i], relative(1e-3));
            assertThat(steps.get(i).gradNorm())
                    .as("norm %s", i)
                    .isCloseTo(golden("train.grad_norms")[i], relative(1e-3));
        }
    }

    private static Percentage relative(double share) {
        return Percentage.withPercentage(100 * share);
    }

    /** The logits of a sample {@code [tokens, vocabulary]}. */
    float[] logits(int row) {
        Sample sample = samples.get(row);
        Tensor logits = Tensor.allocate(arena, sample.length(), decoder().vocabularySize());
        Logits.of(decoder(), kernels, sample.inputIds(), logits);
        return logits.toArray();
    }

    void assertLogits(String tensor) {
        assertLogits(decoder(), tensor);
    }

    /** Compares the rows that are not padding; they come first in each sequence. */
    void assertLogits(Decoder decoder, String tensor) {
        MemorySegment expected = golden.bytes(tensor);
        int vocabulary = decoder.vocabularySize();
        int padded = samples.getFirst().length();
        for (int row = 0; row < samples.size(); row++) {
            Sample sample = samples.get(row);
            Tensor actual = Tensor.allocate(arena, sample.length(), vocabulary);
            Logits.of(decoder, kernels, sample.inputIds(), actual);
            float[] wanted = expected.asSlice(4L * row * padded * vocabulary, 4L * sample.length() * vocabulary)
                    .toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
            assertThat(worst(actual.toArray(), wanted))
                    .as(tensor + " of row " + row)
                    .isLessThan(1e-4);
        }
    }

    /** The largest difference as a share of the largest element. */
    static double worst(float[] actual, float[] expected) {
        assertThat(actual).hasSameSizeAs(expected);
        double difference = 0;
        double largest = 0;
        for (int i = 0; i < expected.length; i++) {
            difference = Math.max(difference, Math.abs(actual[i] - expected[i]));
            largest = Math.max(largest, Math.abs(expected[i]));
        }
        return difference / largest;
    }

    @Override
    public void close() {
        golden.close();
        model.close();
        arena.close();
    }
}
