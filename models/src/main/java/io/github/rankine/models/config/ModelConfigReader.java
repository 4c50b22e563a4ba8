package io.github.rankine.models.config;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.models.json.JsonObject;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/** Reads config.json; the defaults are those of the families' configuration classes in transformers 5. */
final class ModelConfigReader {
    private static final int MAX_VOCAB = 1 << 24;
    private static final int MAX_WIDTH = 1 << 22;
    private static final int MAX_LAYERS = 1 << 12;
    private static final int MAX_HEADS = 1 << 14;
    /** What the attention kernels take; the widest heads that are in use. */
    private static final int MAX_HEAD_DIM = 256;

    private static final int DEFAULT_WINDOW = 4096;

    private final JsonObject config;
    private final Optional<JsonObject> generation;

    ModelConfigReader(JsonObject config, Optional<JsonObject> generation) {
        this.config = config;
        this.generation = generation;
    }

    ModelConfig read(String text) {
        String modelType = config.string("model_type");
        Family family = Family.named(modelType)
                .orElseThrow(() -> config.error(
                        "model_type", "'" + modelType + "' is not supported; supported are " + Family.modelTypes()));
        return switch (family) {
            case LLAMA ->
                decoder(family, text, 2048, config.flag("attention_bias", false), config.flag("attention_bias", false));
            case MISTRAL -> decoder(family, text, 131072, false, false);
            case QWEN2 -> decoder(family, text, 32768, true, false);
            case GPT2 -> gpt2(text);
        };
    }

    /** Llama and what descends from it. */
    private ModelConfig decoder(Family family, String text, int defaultPositions, boolean qkvBias, boolean outputBias) {
        int hidden = config.integer("hidden_size", 1, MAX_WIDTH);
        int layers = config.integer("num_hidden_layers", 1, MAX_LAYERS);
        int heads = config.integer("num_attention_heads", 1, MAX_HEADS);
        int kvHeads = config.integer("num_key_value_heads", 1, MAX_HEADS, defaultKvHeads(family, heads));
        if (heads % kvHeads != 0) {
            throw config.unexpected("num_key_value_heads", "a divisor of num_attention_heads, " + heads);
        }
        if (!config.has("head_dim") && hidden % heads != 0) {
            throw config.unexpected(
                    "num_attention_heads", "a divisor of hidden_size, " + hidden + ", or head_dim given");
        }
        int headDim = config.integer("head_dim", 1, MAX_HEAD_DIM, hidden / heads);
        if (headDim % 2 != 0) {
            throw config.error(
                    config.has("head_dim") ? "head_dim" : "num_attention_heads",
                    "heads of " + headDim + " elements; rotary embeddings need an even number");
        }
        requireHeadDim("num_attention_heads", headDim);
        int positions = config.integer("max_position_embeddings", 1, ModelConfig.MAX_POSITIONS, defaultPositions);
        return new ModelConfig(
                family,
                config.integer("vocab_size", 1, MAX_VOCAB),
                hidden,
                config.integer("intermediate_size", 1, MAX_WIDTH),
                layers,
                heads,
                kvHeads,
                headDim,
                config.number("rms_norm_eps", 0, 1, 1e-6),
                Optional.of(Rope.read(config, positions)),
                positions,
                config.flag("tie_word_embeddings", false),
                qkvBias,
                outputBias,
                family == Family.LLAMA && config.flag("mlp_bias", false),
                Activation.readGated(config),
                slidingWindows(family, layers),
                tokenId("bos_token_id"),
                eosTokenIds(),
                tokenId("pad_token_id"),
                dtype(),
                quantization(),
                text);
    }

    private ModelConfig gpt2(String text) {
        refuseUnless("scale_attn_weights", true);
        refuseUnless("scale_attn_by_inverse_layer_idx", false);
        refuseUnless("add_cross_attention", false);
        int hidden = config.integer("n_embd", 1, MAX_WIDTH);
        int layers = config.integer("n_layer", 1, MAX_LAYERS);
        int heads = config.integer("n_head", 1, MAX_HEADS);
        if (hidden % heads != 0) {
            throw config.unexpected("n_head", "a divisor of n_embd, " + hidden);
        }
        requireHeadDim("n_head", hidden / heads);
        return new ModelConfig(
                Family.GPT2,
                config.integer("vocab_size", 1, MAX_VOCAB),
                hidden,
                config.integer("n_inner", 1, MAX_WIDTH, 4 * hidden),
                layers,
                heads,
                heads,
                hidden / heads,
                config.number("layer_norm_epsilon", 0, 1, 1e-5),
                Optional.empty(),
                config.integer("n_positions", 1, ModelConfig.MAX_POSITIONS),
                config.flag("tie_word_embeddings", true),
                true,
                true,
                true,
                Activation.readPlain(config),
                Collections.nCopies(layers, 0),
                tokenId("bos_token_id"),
                eosTokenIds(),
                tokenId("pad_token_id"),
                dtype(),
                quantization(),
                text);
    }

    private void requireHeadDim(String field, int headDim) {
        if (headDim > MAX_HEAD_DIM) {
            throw config.error(field, "heads of " + headDim + " elements; Rankine takes " + MAX_HEAD_DIM + " at most");
        }
    }

    /**
     * Mistral's window holds in every layer. Qwen2's holds if use_sliding_window is set, in the layers that layer_types
     * names, otherwise in those from max_window_layers on.
     */
    private List<Integer> slidingWindows(Family family, int layers) {
        return switch (family) {
            case MISTRAL -> Collections.nCopies(layers, window());
            case QWEN2 -> qwen2Windows(layers);
            case LLAMA, GPT2 -> Collections.nCopies(layers, 0);
        };
    }

    private List<Integer> qwen2Windows(int layers) {
        int window = config.flag("use_sliding_window", false) ? window() : 0;
        List<String> types = config.strings("layer_types");
        if (types.isEmpty()) {
            int first = config.integer("max_window_layers", 0, Integer.MAX_VALUE, 28);
            return IntStream.range(0, layers)
                    .mapToObj(layer -> layer < first ? 0 : window)
                    .toList();
        }
        if (types.size() != layers) {
            throw config.error(
                    "layer_types", types.size() + " entries, expected one for each of the " + layers + " layers");
        }
        return types.stream()
                .map(type -> switch (type) {
                    case "full_attention" -> 0;
                    case "sliding_attention" -> window;
                    default ->
                        throw config.error(
                                "layer_types", "'" + type + "', expected full_attention or sliding_attention");
                })
                .toList();
    }

    private int window() {
        int none = isNull("sliding_window") ? 0 : DEFAULT_WINDOW;
        return config.integer("sliding_window", 1, ModelConfig.MAX_POSITIONS, none);
    }

    private int defaultKvHeads(Family family, int heads) {
        if (isNull("num_key_value_heads")) {
            return heads;
        }
        return switch (family) {
            case MISTRAL -> 8;
            case QWEN2 -> 32;
            case LLAMA, GPT2 -> heads;
        };
    }

    /** A field set to null turns something off where an absent one takes the family's default. */
    private boolean isNull(String field) {
        return config.names().contains(field) && !config.has(field);
    }

    private void refuseUnless(String field, boolean supported) {
        if (config.flag(field, supported) != supported) {
            throw config.unexpected(field, supported + "; Rankine has no other");
        }
    }

    /** A token; some checkpoints write -1 for none. */
    private OptionalInt tokenId(String field) {
        int id = config.integer(field, -1, Integer.MAX_VALUE, -1);
        return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
    }

    /** generation_config.json's where it names any, as Transformers generates. */
    private List<Integer> eosTokenIds() {
        List<Integer> ids = generation.map(ModelConfigReader::eosTokenIds).orElse(List.of());
        return ids.isEmpty() ? eosTokenIds(config) : ids;
    }

    /** One token or a list of them; some checkpoints write -1 for none. */
    private static List<Integer> eosTokenIds(JsonObject object) {
        return object.integers("eos_token_id", -1, Integer.MAX_VALUE).stream()
                .filter(id -> id >= 0)
                .distinct()
                .toList();
    }

    /** NF4 as bitsandbytes has it, or nothing. */
    private Optional<QuantizedType> quantization() {
        Optional<JsonObject> quantization = config.object(ModelConfig.QUANTIZATION);
        quantization.ifPresent(ModelConfigReader::requireNf4);
        return quantization.map(_ -> QuantizedType.NF4);
    }

    private static void requireNf4(JsonObject quantization) {
        String remedy = "; use the original checkpoint in float32, bfloat16 or float16, with --quantize if need be";
        if (!quantization.string("quant_method", "").equals("bitsandbytes")) {
            throw quantization.unexpected("quant_method", "bitsandbytes" + remedy);
        }
        if (!quantization.flag("load_in_4bit", false)) {
            throw quantization.unexpected("load_in_4bit", "true" + remedy);
        }
        if (!quantization.string("bnb_4bit_quant_type", "fp4").equals("nf4")) {
            throw quantization.unexpected("bnb_4bit_quant_type", "nf4" + remedy);
        }
    }

    private Optional<DType> dtype() {
        return switch (config.string(config.has("dtype") ? "dtype" : "torch_dtype", "")) {
            case "float32" -> Optional.of(DType.F32);
            case "bfloat16" -> Optional.of(DType.BF16);
            case "float16" -> Optional.of(DType.F16);
            default -> Optional.empty();
        };
    }
}
