package io.github.rankine.models.family;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.train.Schedule;
import io.github.rankine.engine.train.StepMetrics;
import io.github.rankine.engine.train.Trainer;
import io.github.rankine.engine.train.TrainingConfig;
import io.github.rankine.engine.train.TrainingListener;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import io.github.rankine.models.safetensors.SafetensorsFile;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** Training every weight of every family beside what PyTorch and Transformers computed; full_finetune.py made the numbers. */
class FullGoldenTest {
    static final List<String> CASES = Fixtures.CASES;

    private static final int STEPS = 5;

    @ParameterizedTest
    @FieldSource("CASES")
    void fiveStepsOfEveryWeight(String name) {
        Path folder = Fixtures.folder(name);
        JsonObject golden = Json.readObject(folder.resolve("full.json"));
        Kernels kernels = Fixtures.kernels(Fixtures.KERNELS.getFirst());
        try (Arena arena = Arena.ofShared();
                SafetensorsFile batch = SafetensorsFile.open(folder.resolve("golden.safetensors"));
                CausalLanguageModel model = CausalLanguageModel.openForTraining(folder.resolve("model"), arena)) {
            List<Parameter> all = List.copyOf(model.decoder().parameters());
            assertThat(all).hasSize(golden.get("after").size());
            TrainingConfig config = TrainingConfig.builder()
                    .learningRate(1e-3)
                    .weightDecay(0.01)
                    .schedule(Schedule.CONSTANT)
                    .steps(STEPS)
                    .batchSize(2)
                    .shuffle(false)
                    .build();
            List<StepMetrics> steps = new ArrayList<>();
            try (Trainer trainer =
                    new Trainer(model.decoder(), kernels, all, Fixtures.batch(batch), List.of(), config)) {
                trainer.run(new TrainingListener() {
                    @Override
                    public void step(StepMetrics metrics) {
                        steps.add(metrics);
                        if (metrics.step() == 1) {
                            for (Parameter parameter : all) {
                                kernels.fetch(parameter.gradient());
                                assertDigest(
                                        golden,
                                        "gradients",
                                        parameter,
                                        parameter.gradient().toArray(),
                                        1e-4);
                            }
                        }
                    }
                });
            }
            for (int i = 0; i < STEPS; i++) {
                double loss = golden.get("losses").get(i).doubleValue();
                double norm = golden.get("grad_norms").get(i).doubleValue();
                assertThat(steps.get(i).loss()).as("loss %s", i).isCloseTo(loss, within(1e-4 * loss));
                assertThat(steps.get(i).gradNorm()).as("norm %s", i).isCloseTo(norm, within(1e-3 * norm));
            }
            for (Parameter parameter : all) {
                assertDigest(
                        golden, "after", parameter, parameter.value().asTensor().toArray(), 1e-3);
            }
        }
    }

    private static void assertDigest(
            JsonObject golden, String field, Parameter parameter, float[] values, double tolerance) {
        double square = 0;
        double wave = 0;
        for (int i = 0; i < values.length; i++) {
            square += (double) values[i] * values[i];
            wave += values[i] * Math.cos(i);
        }
        double norm = golden.get(field).get(parameter.name()).get(0).doubleValue();
        assertThat(Math.sqrt(square)).as(field + " " + parameter).isCloseTo(norm, within(tolerance * norm));
        assertThat(wave)
                .as(field + " " + parameter)
                .isCloseTo(golden.get(field).get(parameter.name()).get(1).doubleValue(), within(tolerance * norm));
    }
}
