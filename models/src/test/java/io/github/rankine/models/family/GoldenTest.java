package io.github.rankine.models.family;

import static io.github.rankine.models.family.GoldenCase.run;
import static io.github.rankine.models.family.GoldenCase.worst;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.engine.lora.AdapterWeights;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.train.StepMetrics;
import io.github.rankine.engine.train.Trainer;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.peft.PeftAdapter;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Logits, loss, gradients and ten steps of every family beside what PyTorch, Transformers and PEFT computed. */
class GoldenTest {
    static Stream<Arguments> cases() {
        return Stream.concat(Fixtures.CASES.stream(), Fixtures.QUANTIZED.stream())
                .flatMap(name -> Fixtures.KERNELS.stream().map(kernels -> Arguments.of(name, kernels)));
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
            c.assertLoss(run(trainer).getFirst().loss());
            for (Parameter parameter : c.adapter.parameters()) {
                float[] expected = c.golden("grad.base_model.model." + parameter.name());
                assertThat(worst(c.gradient(parameter).toArray(), expected))
                        .as(parameter.name())
                        .isLessThan(1e-4);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void tenSteps(String name, String kernelsName) {
        try (Case c = new Case(name, kernelsName);
                Trainer trainer = c.trainer(GoldenCase.STEPS, false)) {
            c.assertSteps(run(trainer));
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
                Trainer trainer = kept.trainer(GoldenCase.STEPS, false);
                Case recomputed = new Case(name, kernelsName);
                Trainer again = recomputed.trainer(GoldenCase.STEPS, true)) {
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

    /** A fixture and its adapter. */
    private static final class Case extends GoldenCase {
        private final LoraAdapter adapter;

        Case(String name, String kernelsName) {
            super(name, name, kernelsName);
            try (PeftAdapter files = PeftAdapter.open(folder.resolve("adapter"))) {
                adapter = files.load(decoder(), arena);
            }
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

        Trainer trainer(int steps, boolean recompute) {
            decoder().activate(adapter);
            return trainer(
                    adapter.parameters(), training(steps).recompute(recompute).build());
        }
    }
}
