package io.github.rankine.models.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ModelConfigTest {
    @TempDir
    Path folder;

    private static ModelConfig fixture(String name) {
        return ModelConfig.read(Fixtures.folder(name).resolve("model"));
    }

    /** A config.json of the family with the fields of {@code changes} (JSON) put over it; {@code "-"} deletes one. */
    private ModelConfig changed(String fixture, String changes) throws IOException {
        Path original = Fixtures.folder(fixture).resolve("model").resolve(ModelConfig.FILE);
        ObjectNode config = Json.readObject(original).toNode();
        config.setAll(Json.parseObject(changes, "changes").toNode());
        List.copyOf(config.properties()).stream()
                .filter(field -> field.getValue().asText().equals("-"))
                .forEach(field -> config.remove(field.getKey()));
        return ModelConfig.read(Files.writeString(folder.resolve(ModelConfig.FILE), Json.write(config)));
    }

    @Test
    void readsLlama() {
        ModelConfig config = fixture("llama-gqa");
        assertThat(config.family()).isEqualTo(Family.LLAMA);
        assertThat(config.vocabSize()).isEqualTo(320);
        assertThat(config.hiddenSize()).isEqualTo(64);
        assertThat(config.intermediateSize()).isEqualTo(160);
        assertThat(config.layers()).isEqualTo(2);
        assertThat(config.heads()).isEqualTo(4);
        assertThat(config.kvHeads()).isEqualTo(2);
        assertThat(config.headDim()).isEqualTo(16);
        assertThat(config.normEps()).isEqualTo(1e-5);
        assertThat(config.rope()).contains(Rope.of(10_000));
        assertThat(config.maxPositions()).isEqualTo(128);
        assertThat(config.tieWordEmbeddings()).isTrue();
        assertThat(List.of(config.qkvBias(), config.outputBias(), config.mlpBias()))
                .containsOnly(false);
        assertThat(config.activation()).isEqualTo(Activation.SILU);
        assertThat(config.slidingWindows()).containsExactly(0, 0);
        assertThat(config.bosTokenId()).isEqualTo(OptionalInt.of(1));
        assertThat(config.eosTokenIds()).containsExactly(2);
        assertThat(config.padTokenId()).isEmpty();
        assertThat(config.dtype()).contains(DType.F32);
    }

    @Test
    void readsLlama3Rope() {
        ModelConfig config = fixture("llama-untied-llama3rope");
        assertThat(config.rope()).contains(new Rope(Rope.Type.LLAMA3, 500_000, 8, 1, 4, 64));
        assertThat(config.tieWordEmbeddings()).isFalse();
    }

    @Test
    void readsQwen2() {
        ModelConfig config = fixture("qwen2-bias");
        assertThat(config.family()).isEqualTo(Family.QWEN2);
        assertThat(config.headDim()).isEqualTo(16);
        assertThat(config.qkvBias()).isTrue();
        assertThat(config.outputBias()).isFalse();
        assertThat(config.hasSlidingWindow()).isFalse();
    }

    @Test
    void readsGpt2() throws IOException {
        ModelConfig config = fixture("gpt2");
        assertThat(config.family()).isEqualTo(Family.GPT2);
        assertThat(config.rope()).isEmpty();
        assertThat(config.intermediateSize()).isEqualTo(256);
        assertThat(config.activation()).isEqualTo(Activation.GELU_TANH);
        assertThat(config.tieWordEmbeddings()).isTrue();
        assertThat(List.of(config.qkvBias(), config.outputBias(), config.mlpBias()))
                .containsOnly(true);
        ModelConfig old = changed("gpt2", """
            {"tie_word_embeddings": "-", "n_inner": 100, "activation_function": "gelu"}\
            """);
        assertThat(old.tieWordEmbeddings()).isTrue();
        assertThat(old.intermediateSize()).isEqualTo(100);
        assertThat(old.activation()).isEqualTo(Activation.GELU);
    }

    @Test
    void readsWhatTransformers4Writes() throws IOException {
        ModelConfig config = changed("llama-gqa", """
            {"rope_parameters": "-", "rope_theta": 500000, "dtype": "-", "torch_dtype": "bfloat16", "head_dim": "-",
             "rope_scaling": {"type": "linear", "factor": 2.0}, "tie_word_embeddings": "-",
             "num_key_value_heads": "-", "eos_token_id": [7, 9], "pad_token_id": -1}\
            """);
        assertThat(config.rope()).contains(new Rope(Rope.Type.LINEAR, 500_000, 2, 0, 0, 0));
        assertThat(config.dtype()).contains(DType.BF16);
        assertThat(config.headDim()).isEqualTo(16);
        assertThat(config.kvHeads()).isEqualTo(4);
        assertThat(config.tieWordEmbeddings()).isFalse();
        assertThat(config.eosTokenIds()).containsExactly(7, 9);
        assertThat(config.padTokenId()).isEmpty();
        assertThat(changed("llama-gqa", "{\"rope_parameters\": \"-\"}").rope()).contains(Rope.of(10_000));
    }

    @Test
    void headDimMayDifferFromHiddenOverHeads() throws IOException {
        assertThat(changed("llama-gqa", "{\"head_dim\": 32}").headDim()).isEqualTo(32);
        assertThat(changed("llama-gqa", "{\"head_dim\": 32, \"hidden_size\": 66}")
                        .headDim())
                .isEqualTo(32);
    }

    @Test
    void llamaMayHaveBiases() throws IOException {
        ModelConfig config = changed("llama-gqa", "{\"attention_bias\": true, \"mlp_bias\": true}");
        assertThat(List.of(config.qkvBias(), config.outputBias(), config.mlpBias()))
                .containsOnly(true);
    }

    @Test
    void mistralSlidesInEveryLayer() throws IOException {
        String mistral = "{\"model_type\": \"mistral\", \"attention_bias\": true, \"sliding_window\": ";
        assertThat(changed("llama-gqa", mistral + "32}").slidingWindows()).containsExactly(32, 32);
        assertThat(changed("llama-gqa", mistral + "null}").hasSlidingWindow()).isFalse();
        assertThat(changed("llama-gqa", mistral + "\"-\"}").slidingWindows()).containsExactly(4096, 4096);
        assertThat(changed("llama-gqa", mistral + "32}").qkvBias()).isFalse();
    }

    @Test
    void qwen2SlidesWhereItIsTold() throws IOException {
        String window = "{\"sliding_window\": 32, \"use_sliding_window\": true, ";
        assertThat(changed("qwen2-bias", window + "\"layer_types\": \"-\", \"max_window_layers\": 1}")
                        .slidingWindows())
                .containsExactly(0, 32);
        assertThat(changed("qwen2-bias", window + "\"layer_types\": [\"sliding_attention\", \"full_attention\"]}")
                        .slidingWindows())
                .containsExactly(32, 0);
        assertThat(changed("qwen2-bias", """
            {"sliding_window": 32, "use_sliding_window": false, "layer_types": "-", "max_window_layers": 0}\
            """).hasSlidingWindow()).isFalse();
    }

    @Test
    void generationConfigNamesTheEndTokens() throws IOException {
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": [5, 6]}");
        assertThat(changed("llama-gqa", "{}").eosTokenIds()).containsExactly(5, 6);
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": null}");
        assertThat(changed("llama-gqa", "{}").eosTokenIds()).containsExactly(2);
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": \"x\"}");
        assertThatThrownBy(() -> changed("llama-gqa", "{}"))
                .hasMessageContaining("generation_config.json: eos_token_id");
    }

    @Test
    void changesTheTypeAndNothingElse() throws IOException {
        ModelConfig config = fixture("llama-gqa");
        ObjectNode expected = Json.parseObject(config.json(), "json").toNode().put("dtype", "bfloat16");
        assertThat(Json.parseObject(config.jsonWithDtype(DType.BF16), "json").toNode())
                .isEqualTo(expected);
        ModelConfig old = changed("llama-gqa", "{\"dtype\": \"-\", \"torch_dtype\": \"float32\"}");
        assertThat(old.jsonWithDtype(DType.F16))
                .contains("\"torch_dtype\": \"float16\"")
                .doesNotContain("\"dtype\"");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"model_type\": \"bert\"}             | model_type: 'bert' is not supported; supported are llama,"
                        + " mistral, qwen2, gpt2",
                "{\"model_type\": \"-\"}                | no field model_type; expected a string",
                "{\"model_type\": 3}                    | model_type: 3 found, expected a string",
                "{\"hidden_size\": \"-\"}               | no field hidden_size; expected an integer from 1 to 4194304",
                "{\"hidden_size\": -64}                 | hidden_size: -64 found, expected an integer",
                "{\"hidden_size\": \"64\"}              | hidden_size: the string \"64\" found, expected an integer",
                "{\"vocab_size\": 1e12}                 | vocab_size: 1.0E12 found, expected an integer",
                "{\"vocab_size\": 1000000000000}        | vocab_size: 1000000000000 found, expected an integer",
                "{\"num_hidden_layers\": 0}             | num_hidden_layers: 0 found, expected an integer",
                "{\"intermediate_size\": null}          | no field intermediate_size",
                "{\"num_key_value_heads\": 3}           | num_key_value_heads: 3 found, expected a divisor of"
                        + " num_attention_heads, 4",
                "{\"num_attention_heads\": 6, \"head_dim\": null} | num_attention_heads: 6 found, expected a divisor"
                        + " of hidden_size, 64",
                "{\"head_dim\": 15}                     | head_dim: heads of 15 elements; rotary embeddings need an"
                        + " even number",
                "{\"hidden_size\": 4096, \"head_dim\": null} | num_attention_heads: heads of 1024 elements; Rankine"
                        + " takes 256 at most",
                "{\"rms_norm_eps\": -1}                 | rms_norm_eps: -1 found, expected a number from 0.0 to 1.0",
                "{\"hidden_act\": \"relu\"}             | hidden_act: the string \"relu\" found, expected" + " silu",
                "{\"hidden_act\": \"gelu\"}             | hidden_act: the string \"gelu\" found, expected silu",
                "{\"tie_word_embeddings\": 1}           | tie_word_embeddings: 1 found, expected true or false",
                "{\"rope_parameters\": 1}               | rope_parameters: 1 found, expected an object",
                "{\"rope_parameters\": {\"rope_type\": \"yarn\"}} | rope_parameters.rope_type: the string \"yarn\""
                        + " found, expected a rope type",
                "{\"rope_scaling\": {\"type\": \"dynamic\"}}      | rope_scaling.type: the string \"dynamic\" found,"
                        + " expected a rope type",
                "{\"rope_scaling\": {\"type\": \"linear\"}}       | no field rope_scaling.factor",
                "{\"rope_parameters\": {\"rope_theta\": 0}}       | rope_parameters.rope_theta: 0 found",
                "{\"rope_parameters\": {\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4,"
                        + " \"high_freq_factor\": 1}} | rope_parameters.high_freq_factor: 1 found, expected more than"
                        + " low_freq_factor",
                "{\"partial_rotary_factor\": 0.5}       | partial_rotary_factor: 0.5 found, expected 1",
                "{\"quantization_config\": {\"load_in_4bit\": true}} | no field"
                        + " quantization_config.quant_method; expected bitsandbytes",
                "{\"eos_token_id\": [1, \"x\"]}         | eos_token_id[1]: the string \"x\" found"
            })
    void refusesAbsurdFieldsByName(String changes, String complaint) {
        assertThatThrownBy(() -> changed("llama-gqa", changes))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith(folder.resolve(ModelConfig.FILE) + ": " + complaint);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "gpt2       | {\"n_head\": 5} | n_head: 5 found, expected a divisor of n_embd, 64",
                "gpt2       | {\"n_embd\": \"-\"} | no field n_embd",
                "gpt2       | {\"activation_function\": \"silu\"} | activation_function: the string \"silu\" found,"
                        + " expected gelu, gelu_new or gelu_pytorch_tanh",
                "gpt2       | {\"scale_attn_by_inverse_layer_idx\": true} | scale_attn_by_inverse_layer_idx: true"
                        + " found, expected false",
                "qwen2-bias | {\"layer_types\": [\"full_attention\"]} | layer_types: 1 entries, expected one for each"
                        + " of the 2 layers",
                "qwen2-bias | {\"layer_types\": [\"full_attention\", \"chunked\"]} | layer_types: 'chunked', expected",
                "qwen2-bias | {\"num_key_value_heads\": \"-\"} | no field num_key_value_heads; expected a divisor"
            })
    void refusesFieldsOfOtherFamilies(String fixture, String changes, String complaint) {
        assertThatThrownBy(() -> changed(fixture, changes))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith(folder.resolve(ModelConfig.FILE) + ": " + complaint);
    }

    @Test
    void refusesWhatIsNotThere() {
        assertThatThrownBy(() -> ModelConfig.read(folder))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("config.json: no such file");
    }
}
