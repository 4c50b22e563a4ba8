package io.github.rankine.models.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.safetensors.SafetensorsFile;
import io.github.rankine.models.safetensors.TensorInfo;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

class MlxAdapterTest {
    static final List<String> CASES = Fixtures.CASES;

    private final Arena arena = Arena.ofConfined();

    @TempDir
    Path folder;

    @AfterEach
    void close() {
        arena.close();
    }

    private JsonNode write(AdapterOver over) {
        MlxAdapter.of(over.adapter(), over.base()).write(folder);
        return Json.readObject(folder.resolve("adapter_config.json")).toNode();
    }

    @Test
    void saysWhatMlxLmAsksFor() throws IOException {
        write(AdapterOver.random(
                AdapterOver.base("llama-gqa"),
                AdapterOver.config(false, Map.of(), Map.of(), "q_proj", "down_proj"),
                arena));
        assertThat(Files.readString(folder.resolve("adapter_config.json"))).isEqualTo("""
            {
              "fine_tune_type": "lora",
              "num_layers": 2,
              "lora_parameters": {
                "rank": 4,
                "scale": 2.0,
                "dropout": 0.25,
                "keys": [
                  "mlp.down_proj",
                  "self_attn.q_proj"
                ]
              }
            }\
            """);
        assertThat(folder).isDirectoryContaining("glob:**adapters.safetensors");
    }

    @ParameterizedTest
    @FieldSource("CASES")
    void givesMlxLmTheUpdatesOfTheAdapter(String name) {
        AdapterOver over = AdapterOver.fixture(name, arena);
        MlxAdapter adapter = MlxAdapter.of(over.adapter(), over.base());
        assertThat(adapter.rescaled()).isEmpty();
        assertThat(adapter.filledUp()).isEmpty();
        assertSameUpdates(over);
    }

    @Test
    void matricesAreTransposedBitForBit() {
        AdapterOver over = AdapterOver.fixture("qwen2-bias", arena);
        write(over);
        Weight a = over.module("model.layers.1.mlp.up_proj").a().value();
        Weight b = over.module("model.layers.1.mlp.up_proj").b().value();
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("adapters.safetensors"))) {
            Weight storedA = file.weight("model.layers.1.mlp.up_proj.lora_a");
            Weight storedB = file.weight("model.layers.1.mlp.up_proj.lora_b");
            assertThat(List.of(storedA.rows(), storedA.cols())).containsExactly(64L, 8L);
            assertThat(List.of(storedB.rows(), storedB.cols())).containsExactly(8L, b.rows());
            for (int k = 0; k < 8; k++) {
                for (int i = 0; i < a.cols(); i++) {
                    assertThat(storedA.get(i, k)).isEqualTo(a.get(k, i));
                }
                for (int o = 0; o < b.rows(); o++) {
                    assertThat(storedB.get(k, o)).isEqualTo(b.get(o, k));
                }
            }
        }
    }

    @Test
    void oneRankAndOneScaleGiveEveryModuleItsOwn() {
        for (boolean rslora : new boolean[] {false, true}) {
            LoraConfig config = AdapterOver.config(
                    rslora,
                    Map.of("layers.0.self_attn.v_proj", 3, "layers.1.mlp.up_proj", 9),
                    Map.of("k_proj", 5.0),
                    "q_proj",
                    "k_proj",
                    "v_proj",
                    "o_proj",
                    "up_proj");
            AdapterOver over = AdapterOver.random(AdapterOver.base("llama-gqa"), config, arena);
            MlxAdapter adapter = MlxAdapter.of(over.adapter(), over.base());
            assertThat(adapter.rank()).isEqualTo(9);
            assertThat(adapter.scale()).isEqualTo(rslora ? 4 : 2);
            assertThat(adapter.rescaled())
                    .containsExactly(
                            "model.layers.0.self_attn.k_proj",
                            "model.layers.0.self_attn.v_proj",
                            "model.layers.1.self_attn.k_proj",
                            "model.layers.1.mlp.up_proj");
            assertThat(adapter.filledUp()).hasSize(9).doesNotContain("model.layers.1.mlp.up_proj");
            assertSameUpdates(over);
        }
    }

    @Test
    void countsLayersFromTheLast() {
        assertThat(layers("last", "(.*)layers\\.1\\.mlp\\.up_proj")).isEqualTo(1);
        assertThat(layers("first", "(.*)layers\\.0\\.mlp\\.up_proj")).isEqualTo(2);
        assertThat(layers("head", "lm_head")).isZero();
    }

    private int layers(String name, String targets) {
        LoraConfig config = LoraConfig.of(2, 4, ModuleSelector.Expression.of(targets));
        AdapterOver over = AdapterOver.random(AdapterOver.base("llama-untied-llama3rope"), config, arena);
        assertSameUpdates(over);
        assertThat(write(over).at("/lora_parameters/keys"))
                .as(name)
                .extracting(JsonNode::asText)
                .containsExactly(name.equals("head") ? "lm_head" : "mlp.up_proj");
        return write(over).get("num_layers").asInt();
    }

    @Test
    void refusesAHeadThatMlxLmHasNot() throws IOException {
        LoraConfig head = LoraConfig.of(2, 4, new ModuleSelector.Suffixes(List.of("lm_head")));
        AdapterOver tied = AdapterOver.random(AdapterOver.base("qwen2-bias"), head, arena);
        assertThatThrownBy(() -> MlxAdapter.of(tied.adapter(), tied.base()))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith("lm_head: the base ties its head to its embedding")
                .hasMessageContaining("'rankine merge'");
        AdapterOver gpt2 = AdapterOver.random(
                AdapterOver.base("gpt2", json -> json.put("tie_word_embeddings", false), folder), head, arena);
        assertThatThrownBy(() -> MlxAdapter.of(gpt2.adapter(), gpt2.base()))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith("lm_head: mlx-lm's GPT-2 has no head beside its embedding");
    }

    /** What mlx-lm's {@code load_adapters} adapts, with what it fuses: (scale · lora_bᵀ) · lora_aᵀ. */
    private void assertSameUpdates(AdapterOver over) {
        JsonNode config = write(over);
        double scale = config.at("/lora_parameters/scale").asDouble();
        int rank = config.at("/lora_parameters/rank").asInt();
        Set<String> expected = new HashSet<>();
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("adapters.safetensors"))) {
            over.adapter().modules().keySet().forEach(module -> {
                String name = module.startsWith("transformer.") ? module.replace("transformer.", "model.") : module;
                assertThat(adapts(config, name, over.base().layers())).as(name).isTrue();
                expected.add(name + ".lora_a");
                expected.add(name + ".lora_b");
                Weight a = file.weight(name + ".lora_a");
                Weight b = file.weight(name + ".lora_b");
                assertThat(List.of(a.cols(), b.rows())).containsExactly((long) rank, (long) rank);
                double[][] update = over.update(module);
                for (int row = 0; row < b.cols(); row++) {
                    for (int col = 0; col < a.rows(); col++) {
                        double sum = 0;
                        for (int k = 0; k < rank; k++) {
                            sum += scale * b.get(k, row) * a.get(col, k);
                        }
                        assertThat(sum).as(name).isCloseTo(update[row][col], within(1e-6));
                    }
                }
            });
            assertThat(file.tensors()).extracting(TensorInfo::name).containsExactlyInAnyOrderElementsOf(expected);
        }
    }

    private static boolean adapts(JsonNode config, String module, int layers) {
        int first = layers - config.get("num_layers").asInt();
        for (JsonNode key : config.at("/lora_parameters/keys")) {
            for (int layer = first; layer < layers; layer++) {
                if (Pattern.matches("model\\.(layers|h)\\." + layer + "\\." + Pattern.quote(key.asText()), module)) {
                    return true;
                }
            }
            if (module.equals(key.asText())) {
                return true;
            }
        }
        return false;
    }
}
