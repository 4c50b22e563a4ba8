package io.github.rankine.engine.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LoraConfigTest {
    private static LoraConfig config(List<Integer> layers, List<String> layersPattern, Map<String, Integer> ranks) {
        return new LoraConfig(
                8,
                16,
                0,
                new ModuleSelector.Suffixes(List.of("q_proj")),
                new ModuleSelector.Suffixes(List.of("5.q_proj")),
                layers,
                layersPattern,
                ranks,
                Map.of("q_proj", 4.0),
                true);
    }

    @ParameterizedTest
    @CsvSource({
        "q_proj, true",
        "model.layers.0.self_attn.q_proj, true",
        "model.layers.0.self_attn.xq_proj, false",
        "model.layers.0.self_attn.q_proj.x, false",
        "model.layers.5.q_proj, false",
        "model.layers.15.q_proj, true"
    })
    void suffixesBeginAtADot(String module, boolean targeted) {
        assertThat(config(List.of(), List.of(), Map.of()).targets(module, false))
                .isEqualTo(targeted);
    }

    @ParameterizedTest
    @CsvSource(
            value = {
                "'',     model.layers.1.self_attn.q_proj, true",
                "'',     model.layers.2.self_attn.q_proj, false",
                "'',     model.layers.1.experts.2.q_proj, true",
                "'',     model.layers.2.experts.1.q_proj, false",
                "'',     model.norm.q_proj, false",
                "layers, model.layers.1.self_attn.q_proj, true",
                "layers, layers.1.self_attn.q_proj, true",
                "layers, model.h.1.q_proj, false",
                "h,      transformer.h.1.q_proj, true",
                "(h),    transformer.h.1.q_proj, true",
                "h|layers, model.h.1.q_proj, false"
            })
    void layersAreCountedAsPeftDoes(String pattern, String module, boolean targeted) {
        List<String> layersPattern = pattern.isEmpty() ? List.of() : List.of(pattern);
        assertThat(config(List.of(1), layersPattern, Map.of()).targets(module, false))
                .isEqualTo(targeted);
    }

    @Test
    void theFirstPatternWins() {
        Map<String, Integer> ranks = new LinkedHashMap<>();
        ranks.put("layers\\.0\\..*", 2);
        ranks.put("q_proj", 4);
        LoraConfig config = config(List.of(), List.of(), ranks);
        assertThat(config.rank("model.layers.0.self_attn.q_proj")).isEqualTo(2);
        assertThat(config.rank("model.layers.1.self_attn.q_proj")).isEqualTo(4);
        assertThat(config.rank("model.layers.1.self_attn.xq_proj")).isEqualTo(8);
        assertThat(config.scaling("model.layers.1.self_attn.q_proj")).isEqualTo(4 / Math.sqrt(4));
    }

    @ParameterizedTest
    @ValueSource(strings = {"(", "a)", "\\Qa", "[", "(?<layer>x)"})
    void refusesPatternsThatCannotBeUsed(String pattern) {
        assertThatThrownBy(() -> config(List.of(1), List.of(pattern), Map.of()))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith("layers_pattern '" + pattern + "' is not a regular expression");
    }

    @Test
    void aModuleNamedInFullNeedsNoLayer() {
        LoraConfig config = new LoraConfig(
                8,
                16,
                0,
                new ModuleSelector.Suffixes(List.of("model.layers.3.mlp.up_proj")),
                null,
                List.of(1),
                List.of(),
                Map.of(),
                Map.of(),
                false);
        assertThat(config.targets("model.layers.3.mlp.up_proj", false)).isTrue();
    }

    @Test
    void anExpressionAndLayersContradictEachOther() {
        assertThatThrownBy(() -> new LoraConfig(
                        8,
                        16,
                        0,
                        ModuleSelector.Expression.of(".*q_proj"),
                        null,
                        List.of(1),
                        List.of(),
                        Map.of(),
                        Map.of(),
                        false))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("layers_to_transform");
    }
}
