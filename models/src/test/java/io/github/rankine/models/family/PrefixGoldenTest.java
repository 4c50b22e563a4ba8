package io.github.rankine.models.family;

import static io.github.rankine.models.family.GoldenCase.run;
import static io.github.rankine.models.family.GoldenCase.worst;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.generate.GenerationConfig;
import io.github.rankine.engine.generate.Generator;
import io.github.rankine.engine.generate.Logits;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.prefix.Prefix;
import io.github.rankine.engine.prefix.PrefixConfig;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.train.StepMetrics;
import io.github.rankine.engine.train.Trainer;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.peft.ModelCard;
import io.github.rankine.models.peft.PeftAdapter;
import io.github.rankine.models.peft.PeftConfig;
import io.github.rankine.models.peft.PeftPrefix;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** Prefix tuning beside PEFT: {@code variants.py} made the fixtures. */
class PrefixGoldenTest {
    static final List<String> CASES = List.of("llama-prefix", "gpt2-prefix", "llama-prefix-projection");

    @TempDir
    Path temporary;

    @ParameterizedTest
    @FieldSource("CASES")
    void logits(String name) throws IOException {
        try (Case c = new Case(name)) {
            float[] base = c.logits(0);
            c.decoder().usePrefix(PeftPrefix.read(c.folder.resolve("adapter"), c.arena));
            c.assertLogits("lora.logits");
            c.decoder().usePrefix(PeftPrefix.read(c.folder.resolve("trained"), c.arena));
            c.assertLogits("trained.logits");
            c.decoder().usePrefix(null);
            assertThat(c.logits(0)).isEqualTo(base);
        }
    }

    @ParameterizedTest
    @FieldSource("CASES")
    void lossGradientsAndTenSteps(String name) throws IOException {
        for (boolean recompute : new boolean[] {false, true}) {
            try (Case c = new Case(name)) {
                Prefix prefix = c.initial();
                try (Trainer trainer = c.trainer(prefix, prefix.parameters(), 1, recompute)) {
                    c.assertLoss(run(trainer).getFirst().loss());
                    for (Parameter parameter : prefix.parameters()) {
                        assertThat(worst(c.gradient(parameter).toArray(), c.golden("grad." + key(parameter))))
                                .as(parameter.name())
                                .isLessThan(1e-4);
                    }
                }
                Prefix trained = c.initial();
                try (Trainer trainer = c.trainer(trained, trained.parameters(), GoldenCase.STEPS, recompute)) {
                    c.assertSteps(run(trainer));
                    for (Parameter parameter : trained.parameters()) {
                        assertThat(worst(parameter.value().asTensor().toArray(), c.golden("after." + key(parameter))))
                                .as(parameter.name())
                                .isLessThan(2e-3);
                    }
                    c.assertLogits("trained.logits");
                }
            }
        }
    }

    /** A cache that begins with the virtual tokens gives the tokens that whole sequences give. */
    @ParameterizedTest
    @FieldSource("CASES")
    void generatesTheLikeliestTokens(String name) throws IOException {
        try (Case c = new Case(name)) {
            c.decoder().usePrefix(PeftPrefix.read(c.folder.resolve("trained"), c.arena));
            int[] prompt = {5, 77, 200};
            List<Integer> tokens = new Generator(c.decoder(), c.kernels)
                    .generate(prompt, GenerationConfig.greedy(6, Set.of()), _ -> true);
            List<Integer> expected = new ArrayList<>();
            for (int i = 0; i < 6; i++) {
                int[] text = Stream.concat(java.util.Arrays.stream(prompt).boxed(), expected.stream())
                        .mapToInt(Integer::intValue)
                        .toArray();
                Tensor logits =
                        Tensor.allocate(c.arena, text.length, c.decoder().vocabularySize());
                Logits.of(c.decoder(), c.kernels, text, logits);
                expected.add(likeliest(logits.rows(text.length - 1, 1).toArray()));
            }
            assertThat(tokens).isEqualTo(expected);
        }
    }

    @ParameterizedTest
    @FieldSource("CASES")
    void writtenInPeftsFormat(String name) throws IOException {
        try (Case c = new Case(name)) {
            Prefix trained = PeftPrefix.read(c.folder.resolve("trained"), c.arena);
            PrefixConfig config = new PrefixConfig(trained.tokens(), name.endsWith("projection") ? 24 : 0);
            Tensor rows = trained.computed(c.kernels, c.arena);
            PeftPrefix.write(
                    temporary,
                    rows,
                    config,
                    c.model.config(),
                    Optional.of(Files.readString(c.folder.resolve("base.txt")).strip()),
                    new ModelCard(OptionalLong.of(1000), ""));
            assertThat(Json.readObject(temporary.resolve(PeftConfig.FILE)).toNode())
                    .isEqualTo(Json.readObject(c.folder.resolve("trained").resolve(PeftConfig.FILE))
                            .toNode());
            assertThat(temporary.resolve(PeftAdapter.WEIGHTS))
                    .hasSameBinaryContentAs(c.folder.resolve("trained").resolve(PeftAdapter.WEIGHTS));
        }
    }

    /** With an adapter in the same run both learn, and a step's gradients are those of the sum. */
    @Test
    void togetherWithAnAdapter() throws IOException {
        try (Case c = new Case("llama-prefix")) {
            LoraConfig lora = LoraConfig.of(4, 8, new ModuleSelector.AllLinear());
            LoraAdapter adapter = LoraAdapter.initialize(lora, c.decoder().shape(), 1, c.arena);
            Prefix prefix = c.initial();
            c.decoder().activate(adapter);
            List<Parameter> both = new ArrayList<>(adapter.parameters());
            both.addAll(prefix.parameters());
            try (Trainer trainer = c.trainer(prefix, both, GoldenCase.STEPS, false)) {
                List<StepMetrics> steps = run(trainer);
                assertThat(steps.getLast().loss()).isLessThan(c.golden("train.losses")[GoldenCase.STEPS - 1]);
            }
        }
    }

    @Test
    void refusesWhatDoesNotFit() throws IOException {
        try (Case c = new Case("llama-prefix")) {
            Prefix other = PeftPrefix.read(Fixtures.folder("gpt2-prefix").resolve("adapter"), c.arena);
            assertThatThrownBy(() -> c.decoder().usePrefix(other))
                    .isInstanceOf(RankineException.class)
                    .hasMessageContaining("another base model");
            Prefix longer = Prefix.initialize(
                    new PrefixConfig(128, 0), c.decoder().layers(), c.decoder().keyWidth(), 0, c.arena);
            assertThatThrownBy(() -> c.decoder().usePrefix(longer))
                    .isInstanceOf(RankineException.class)
                    .hasMessageContaining("128 virtual tokens, the model takes 128");
        }
        assertThatThrownBy(() -> new PrefixConfig(0, 0)).hasMessageContaining("at least 1");
    }

    private static int likeliest(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            best = logits[i] > logits[best] ? i : best;
        }
        return best;
    }

    private static String key(Parameter parameter) {
        return "prompt_encoder."
                + parameter.name().replace("prefix.", "").replace("prompt_embeddings", "embedding.weight");
    }

    /** A fixture, and what its prefix began with. */
    private static final class Case extends GoldenCase {
        Case(String name) throws IOException {
            super(
                    name,
                    Files.readString(Fixtures.folder(name).resolve("base.txt")).strip(),
                    Fixtures.KERNELS.getFirst());
        }

        /** What PyTorch began with. */
        Prefix initial() {
            return golden.has("before.prompt_encoder.transform.0.weight")
                    ? new Prefix.Projected(
                            parameter("embedding.weight"),
                            parameter("transform.0.weight"),
                            parameter("transform.0.bias"),
                            parameter("transform.2.weight"),
                            parameter("transform.2.bias"))
                    : new Prefix.Flat(parameter("embedding.weight"));
        }

        private Parameter parameter(String name) {
            return new Parameter(
                    "prefix." + name,
                    golden.weight("before.prompt_encoder." + name)
                            .toTensor(arena)
                            .asWeight());
        }

        Trainer trainer(Prefix prefix, List<Parameter> trained, int steps, boolean recompute) {
            decoder().usePrefix(prefix);
            return trainer(trained, training(steps).recompute(recompute).build());
        }
    }
}
