package io.github.rankine.models.export;

import io.github.rankine.engine.RankineException;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import java.util.Map;

/**
 * Where llama.cpp has the weight of a linear layer: what its converter of Hugging Face checkpoints makes of it
 * (gguf-py/gguf/tensor_mapping.py, conversion/llama.py, qwen.py and gpt2.py).
 *
 * @param tensor the weight's name
 * @param heads  attention heads whose rows stand in another order there; 0 where the order is the same
 */
record GgufPlace(String tensor, int heads) {
    private static final Map<String, String> LLAMA = Map.of(
            "self_attn.q_proj", "attn_q",
            "self_attn.k_proj", "attn_k",
            "self_attn.v_proj", "attn_v",
            "self_attn.o_proj", "attn_output",
            "mlp.gate_proj", "ffn_gate",
            "mlp.up_proj", "ffn_up",
            "mlp.down_proj", "ffn_down");
    private static final Map<String, String> GPT2 = Map.of(
            "attn.c_attn", "attn_qkv",
            "attn.c_proj", "attn_output",
            "mlp.c_fc", "ffn_up",
            "mlp.c_proj", "ffn_down");

    /** The name that llama.cpp has for the model's architecture. */
    static String architecture(ModelConfig base) {
        return switch (base.family()) {
            case LLAMA, MISTRAL -> "llama";
            case QWEN2 -> "qwen2";
            case GPT2 -> "gpt2";
        };
    }

    /** @throws RankineException where llama.cpp has no such weight, or would not look for an adapter of it */
    static GgufPlace of(String module, ModelConfig base) {
        if (module.equals(CausalLanguageModel.HEAD)) {
            return head(base);
        }
        Map<String, String> names = switch (base.family()) {
            case LLAMA, MISTRAL, QWEN2 -> LLAMA;
            case GPT2 -> GPT2;
        };
        LayerModule place = LayerModule.of(module)
                .filter(candidate -> names.containsKey(candidate.name()))
                .orElseThrow(() -> new RankineException(
                        module + ": llama.cpp has no such layer in a " + architecture(base) + " model"));
        return new GgufPlace(
                "blk." + place.layer() + "." + names.get(place.name()) + ".weight", heads(place.name(), base));
    }

    /** A tied head is the embedding itself there, under whose name an adapter of the head would be one of the embedding. */
    private static GgufPlace head(ModelConfig base) {
        if (base.tieWordEmbeddings()) {
            throw new RankineException(CausalLanguageModel.HEAD + ": the base ties its head to its embedding, and"
                    + " llama.cpp has no adapter of the one without the other; write a model with 'rankine merge' and"
                    + " convert that");
        }
        return new GgufPlace("output.weight", 0);
    }

    /** llama.cpp's llama rotates neighbours, and its converter puts the two halves of each head's rows in turn. */
    private static int heads(String module, ModelConfig base) {
        boolean rotatesNeighbours = architecture(base).equals("llama");
        return switch (module) {
            case "self_attn.q_proj" -> rotatesNeighbours ? base.heads() : 0;
            case "self_attn.k_proj" -> rotatesNeighbours ? base.kvHeads() : 0;
            default -> 0;
        };
    }

    /** Which row of the checkpoint's weight is row {@code row} of llama.cpp's, of {@code rows}. */
    long source(long row, long rows) {
        if (heads == 0) {
            return row;
        }
        long headDim = rows / heads;
        long inHead = row % headDim;
        return row - inHead + inHead % 2 * (headDim / 2) + inHead / 2;
    }
}
