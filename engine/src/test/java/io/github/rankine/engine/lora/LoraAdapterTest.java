package io.github.rankine.engine.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LoraAdapterTest {
    private static final List<LinearShape> LINEARS = List.of(
            linear("model.layers.0.self_attn.q_proj", 64, 64),
            linear("model.layers.0.mlp.down_proj", 96, 64),
            linear("model.layers.1.self_attn.q_proj", 64, 64),
            linear("model.layers.1.mlp.down_proj", 96, 64),
            new LinearShape("lm_head", 64, 320, false, true));

    private static final BaseShape BASE =
            new BaseShape(LINEARS, new LinearShape("model.embed_tokens", 320, 64, true, true), List.of());

    private final Arena arena = Arena.ofShared();

    @AfterEach
    void close() {
        arena.close();
    }

    @Test
    void allLinearLeavesTheHeadOut() {
        assertThat(modules(LoraConfig.of(4, 8, new ModuleSelector.AllLinear())))
                .containsExactlyElementsOf(
                        LINEARS.subList(0, 4).stream().map(LinearShape::name).toList());
    }

    @Test
    void namesMatchAsSuffixesAtDots() {
        assertThat(modules(suffixes("q_proj")))
                .containsExactly("model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj");
        assertThat(modules(suffixes("layers.1.self_attn.q_proj", "lm_head")))
                .containsExactly("model.layers.1.self_attn.q_proj", "lm_head");
        assertThatThrownBy(() -> modules(suffixes("_proj", "roj")))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("q_proj, down_proj, lm_head");
    }

    @Test
    void aMisspeltNameIsToldEvenWhereOthersMatch() {
        LoraAdapter.requireTargets(suffixes("q_proj", "lm_head"), BASE);
        assertThatThrownBy(() -> LoraAdapter.requireTargets(suffixes("q_proj", "nope"), BASE))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("'nope'")
                .hasMessageContaining("q_proj, down_proj, lm_head");
    }

    @Test
    void anExpressionMatchesTheWholeName() {
        assertThat(modules(LoraConfig.of(4, 8, ModuleSelector.Expression.of(".*\\.1\\..*_proj"))))
                .containsExactly("model.layers.1.self_attn.q_proj", "model.layers.1.mlp.down_proj");
        assertThatThrownBy(() -> modules(LoraConfig.of(4, 8, ModuleSelector.Expression.of("q_proj"))))
                .isInstanceOf(RankineException.class);
    }

    @Test
    void excludedModulesAndOtherLayersGetNone() {
        LoraConfig config = new LoraConfig(
                4,
                8,
                0,
                new ModuleSelector.AllLinear(),
                new ModuleSelector.Suffixes(List.of("down_proj")),
                List.of(1),
                List.of(),
                Map.of(),
                Map.of(),
                false);
        assertThat(modules(config)).containsExactly("model.layers.1.self_attn.q_proj");
    }

    @Test
    void patternsGiveSomeModulesTheirOwnRankAndAlpha() {
        Map<String, Integer> ranks = new LinkedHashMap<>();
        ranks.put("layers.1.self_attn.q_proj", 2);
        ranks.put("q_proj", 16);
        LoraConfig config = new LoraConfig(
                4,
                8,
                0,
                new ModuleSelector.AllLinear(),
                null,
                List.of(),
                List.of(),
                ranks,
                Map.of("down_proj", 12.0),
                false);
        LoraAdapter adapter = LoraAdapter.initialize(config, BASE, 0, arena);
        assertThat(adapter.modules()
                        .get("model.layers.0.self_attn.q_proj")
                        .a()
                        .value()
                        .rows())
                .isEqualTo(16);
        assertThat(adapter.modules()
                        .get("model.layers.1.self_attn.q_proj")
                        .a()
                        .value()
                        .rows())
                .isEqualTo(2);
        assertThat(adapter.modules().get("model.layers.0.self_attn.q_proj").scaling())
                .isEqualTo(0.5);
        assertThat(adapter.modules().get("model.layers.0.mlp.down_proj").scaling())
                .isEqualTo(3);
    }

    @Test
    void rsLoraDividesByTheRootOfTheRank() {
        LoraConfig config = new LoraConfig(
                16, 8, 0, new ModuleSelector.AllLinear(), null, List.of(), List.of(), Map.of(), Map.of(), true);
        assertThat(config.scaling("model.layers.0.mlp.down_proj")).isEqualTo(2);
    }

    @Test
    void beginsAsPeftDoes() {
        LoraAdapter adapter = LoraAdapter.initialize(suffixes("down_proj"), BASE, 3, arena);
        LoraModule module = adapter.modules().get("model.layers.0.mlp.down_proj");
        float bound = (float) (1 / Math.sqrt(96));
        float[] a = module.a().value().asTensor().toArray();
        double squares = 0;
        for (float value : a) {
            assertThat(value).isBetween(-bound, bound);
            squares += (double) value * value;
        }
        assertThat(squares / a.length).isCloseTo(bound * bound / 3, within(0.15 * bound * bound / 3));
        assertThat(module.b().value().asTensor().toArray()).containsOnly(0f);
        float[] other = adapter.modules()
                .get("model.layers.1.mlp.down_proj")
                .a()
                .value()
                .asTensor()
                .toArray();
        assertThat(other).isNotEqualTo(a);
        LoraAdapter again = LoraAdapter.initialize(suffixes("down_proj"), BASE, 3, arena);
        assertThat(again.modules()
                        .get("model.layers.0.mlp.down_proj")
                        .a()
                        .value()
                        .asTensor()
                        .toArray())
                .isEqualTo(a);
    }

    @Test
    void aRankAboveEverySideIsRefusedAndAboveSomeIsTold() {
        assertThatThrownBy(() -> modules(LoraConfig.of(65, 8, new ModuleSelector.Suffixes(List.of("q_proj")))))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("rank 65");
        List<LinearShape> mixed = List.of(linear("a", 8, 64), linear("b", 64, 64));
        assertThat(LoraAdapter.oversized(
                        LoraConfig.of(16, 8, new ModuleSelector.AllLinear()),
                        new BaseShape(mixed, BASE.embedding(), List.of())))
                .containsExactly("a");
    }

    @Test
    void refusesAnotherBasesAdapterByTheFirstTensor() {
        LoraConfig config = suffixes("q_proj");
        Map<String, LoraWeights> stored = new LinkedHashMap<>();
        stored.put("model.layers.0.self_attn.q_proj", factors(4, 64, 64));
        assertThatThrownBy(() -> LoraAdapter.of(config, BASE, AdapterWeights.of(stored), arena))
                .hasMessageContaining("lacks model.layers.1.self_attn.q_proj.lora_A.weight");
        stored.put("model.layers.1.self_attn.q_proj", factors(4, 48, 64));
        assertThatThrownBy(() -> LoraAdapter.of(config, BASE, AdapterWeights.of(stored), arena))
                .hasMessageContaining("model.layers.1.self_attn.q_proj.lora_A.weight is [4, 48]")
                .hasMessageContaining("[4, 64]");
        stored.put("model.layers.7.self_attn.q_proj", factors(4, 64, 64));
        assertThatThrownBy(() -> LoraAdapter.of(config, BASE, AdapterWeights.of(stored), arena))
                .hasMessageContaining("model.layers.7.self_attn.q_proj");
    }

    private LoraWeights factors(int rank, int inputs, int outputs) {
        Weight a = Tensor.allocate(arena, rank, inputs).asWeight();
        return new LoraWeights(a, Tensor.allocate(arena, outputs, rank).asWeight());
    }

    private static LoraConfig suffixes(String... names) {
        return LoraConfig.of(4, 8, new ModuleSelector.Suffixes(List.of(names)));
    }

    private List<String> modules(LoraConfig config) {
        return List.copyOf(
                LoraAdapter.initialize(config, BASE, 0, arena).modules().keySet());
    }

    private static LinearShape linear(String name, long inputs, long outputs) {
        return new LinearShape(name, inputs, outputs, false, false);
    }
}
