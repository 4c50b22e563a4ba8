package io.github.rankine.models.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.config.Family;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.gguf.RawGguf;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;

class GgufAdapterTest {
    static final List<String> CASES = Fixtures.CASES;

    private final Arena arena = Arena.ofConfined();

    @TempDir
    Path folder;

    @AfterEach
    void close() {
        arena.close();
    }

    private RawGguf written(AdapterOver over) throws IOException {
        Path file = folder.resolve("adapter.gguf");
        GgufAdapter.of(over.adapter(), over.base()).write(file);
        return RawGguf.read(file);
    }

    @ParameterizedTest
    @CsvSource({
        "llama-gqa, llama, 16",
        "llama-untied-llama3rope, llama, 8",
        "qwen2-bias, qwen2, 90.50966799187809", // rsLoRA: 32 · √8
        "gpt2, gpt2, 8"
    })
    void saysWhatLlamaCppAsksFor(String name, String architecture, double alpha) throws IOException {
        assertThat(written(AdapterOver.fixture(name, arena)).metadata())
                .containsExactly(
                        Map.entry("general.architecture", architecture),
                        Map.entry("general.type", "adapter"),
                        Map.entry("adapter.type", "lora"),
                        Map.entry("adapter.lora.alpha", (float) alpha));
    }

    @Test
    void namesEachMatrixAfterTheWeightItChanges() throws IOException {
        assertThat(written(AdapterOver.fixture("llama-untied-llama3rope", arena))
                        .tensors()
                        .keySet())
                .containsExactly(
                        "blk.0.attn_q.weight.lora_a",
                        "blk.0.attn_q.weight.lora_b",
                        "blk.0.attn_v.weight.lora_a",
                        "blk.0.attn_v.weight.lora_b",
                        "blk.1.attn_q.weight.lora_a",
                        "blk.1.attn_q.weight.lora_b",
                        "blk.1.attn_v.weight.lora_a",
                        "blk.1.attn_v.weight.lora_b");
        assertThat(written(AdapterOver.fixture("qwen2-bias", arena)).tensors().keySet())
                .hasSize(28)
                .contains("blk.1.attn_k.weight.lora_a", "blk.1.attn_output.weight.lora_a")
                .contains("blk.0.ffn_gate.weight.lora_b", "blk.0.ffn_up.weight.lora_b", "blk.0.ffn_down.weight.lora_b");
        assertThat(written(AdapterOver.fixture("gpt2", arena)).tensors().keySet())
                .hasSize(16)
                .contains("blk.0.attn_qkv.weight.lora_a", "blk.0.attn_output.weight.lora_a")
                .contains("blk.1.ffn_up.weight.lora_b", "blk.1.ffn_down.weight.lora_b");
    }

    @ParameterizedTest
    @FieldSource("CASES")
    void holdsTheAdaptersOwnBitsInTheOrderOfLlamaCppsRows(String name) throws IOException {
        AdapterOver over = AdapterOver.fixture(name, arena);
        RawGguf gguf = written(over);
        over.adapter().modules().forEach((module, weights) -> {
            String tensor = GgufPlace.of(module, over.base()).tensor();
            Weight a = weights.a().value();
            RawGguf.Tensor storedA = gguf.tensors().get(tensor + ".lora_a");
            assertThat(storedA.dimensions()).containsExactly(a.cols(), a.rows());
            assertThat(storedA.values()).isEqualTo(a.asTensor().toArray());

            float[][] b = rows(weights.b().value());
            RawGguf.Tensor storedB = gguf.tensors().get(tensor + ".lora_b");
            assertThat(storedB.dimensions()).containsExactly((long) b[0].length, (long) b.length);
            assertThat(rows(storedB)).isDeepEqualTo(asConverted(b, module, over.base()));
        });
    }

    @ParameterizedTest
    @FieldSource("CASES")
    void addsToLlamaCppsWeightWhatTheAdapterAddsToTheCheckpoints(String name) throws IOException {
        assertSameUpdates(AdapterOver.fixture(name, arena));
    }

    @Test
    void mistralIsALlamaThere() throws IOException {
        ModelConfig mistral = AdapterOver.base("llama-gqa", json -> json.put("model_type", "mistral"), folder);
        AdapterOver over = AdapterOver.random(
                mistral, AdapterOver.config(false, Map.of(), Map.of(), "q_proj", "k_proj", "v_proj"), arena);
        assertThat(written(over).metadata()).containsEntry("general.architecture", "llama");
        assertSameUpdates(over);
    }

    @Test
    void oneAlphaGivesEveryModuleItsOwnScale() throws IOException {
        for (boolean rslora : new boolean[] {false, true}) {
            LoraConfig config = AdapterOver.config(
                    rslora,
                    Map.of("v_proj", 3, "layers.1.mlp.up_proj", 9),
                    Map.of("k_proj", 5.0),
                    "q_proj",
                    "k_proj",
                    "v_proj",
                    "o_proj",
                    "up_proj");
            AdapterOver over = AdapterOver.random(AdapterOver.base("llama-gqa"), config, arena);
            GgufAdapter adapter = GgufAdapter.of(over.adapter(), over.base());
            assertThat(adapter.alpha()).isEqualTo(rslora ? 16 : 8);
            assertThat(adapter.rslora()).isEqualTo(rslora);
            assertThat(adapter.rescaled())
                    .contains("model.layers.0.self_attn.k_proj", "model.layers.1.self_attn.k_proj")
                    .hasSize(rslora ? 5 : 2);
            assertSameUpdates(over);
        }
    }

    @Test
    void aHeadOfItsOwnHasAPlace() throws IOException {
        LoraConfig config = LoraConfig.of(2, 4, new ModuleSelector.Suffixes(List.of("lm_head")));
        AdapterOver over = AdapterOver.random(AdapterOver.base("llama-untied-llama3rope"), config, arena);
        assertThat(written(over).tensors().keySet()).containsExactly("output.weight.lora_a", "output.weight.lora_b");
        assertSameUpdates(over);
    }

    @Test
    void refusesWhatLlamaCppWouldMisread() {
        ModelConfig tied = AdapterOver.base("gpt2");
        LoraConfig head = LoraConfig.of(2, 4, new ModuleSelector.Suffixes(List.of("lm_head")));
        AdapterOver over = AdapterOver.random(tied, head, arena);
        assertThatThrownBy(() -> GgufAdapter.of(over.adapter(), tied))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith("lm_head: the base ties its head to its embedding")
                .hasMessageContaining("'rankine merge'");
        assertThatThrownBy(() -> GgufPlace.of("transformer.h.0.attn.rotary", tied))
                .isInstanceOf(RankineException.class)
                .hasMessage("transformer.h.0.attn.rotary: llama.cpp has no such layer in a gpt2 model");

        LoraConfig tiny = LoraConfig.of(2, 1e-60, new ModuleSelector.Suffixes(List.of("c_attn")));
        AdapterOver vanishing = AdapterOver.random(tied, tiny, arena);
        assertThatThrownBy(() -> GgufAdapter.of(vanishing.adapter(), tied))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith("lora_alpha: 1.0E-60, smaller than");
    }

    /** llama.cpp's alpha / rank · B · A against the adapter's own update, its rows in llama.cpp's order. */
    private void assertSameUpdates(AdapterOver over) throws IOException {
        RawGguf gguf = written(over);
        float alpha = (float) gguf.metadata().get("adapter.lora.alpha");
        for (String module : over.adapter().modules().keySet()) {
            double[][] expected = asConverted(over.update(module), module, over.base());
            String tensor = GgufPlace.of(module, over.base()).tensor();
            RawGguf.Tensor a = gguf.tensors().get(tensor + ".lora_a");
            RawGguf.Tensor b = gguf.tensors().get(tensor + ".lora_b");
            for (int row = 0; row < b.rows(); row++) {
                for (int col = 0; col < a.cols(); col++) {
                    double sum = 0;
                    for (int k = 0; k < a.rows(); k++) {
                        sum += (double) alpha / a.rows() * b.get(row, k) * a.get(k, col);
                    }
                    assertThat(sum).as(module).isCloseTo(expected[row][col], within(1e-6));
                }
            }
        }
    }

    /**
     * What llama.cpp's converter makes of a weight's rows, written as it writes it: {@code reshape(heads, 2, half,
     * …).swapaxes(1, 2).reshape(…)} for the queries and keys of its llama, nothing for all else.
     */
    private static <T> T[] asConverted(T[] rows, String module, ModelConfig base) {
        int heads = module.endsWith("q_proj") ? base.heads() : module.endsWith("k_proj") ? base.kvHeads() : 0;
        if (heads == 0 || base.family() == Family.QWEN2) {
            return rows;
        }
        int half = rows.length / heads / 2;
        T[] swapped = rows.clone();
        int next = 0;
        for (int head = 0; head < heads; head++) {
            for (int i = 0; i < half; i++) {
                for (int side = 0; side < 2; side++) {
                    swapped[next++] = rows[(head * 2 + side) * half + i];
                }
            }
        }
        return swapped;
    }

    private static float[][] rows(Weight weight) {
        float[][] rows = new float[(int) weight.rows()][(int) weight.cols()];
        for (int row = 0; row < rows.length; row++) {
            for (int col = 0; col < rows[row].length; col++) {
                rows[row][col] = weight.get(row, col);
            }
        }
        return rows;
    }

    private static float[][] rows(RawGguf.Tensor tensor) {
        float[][] rows = new float[tensor.rows()][tensor.cols()];
        for (int row = 0; row < rows.length; row++) {
            for (int col = 0; col < rows[row].length; col++) {
                rows[row][col] = tensor.get(row, col);
            }
        }
        return rows;
    }
}
