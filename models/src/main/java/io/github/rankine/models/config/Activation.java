package io.github.rankine.models.config;

import io.github.rankine.models.json.JsonObject;

/** The non-linearity of a feed-forward block. */
public enum Activation {
    /** x · sigmoid(x), also called swish. */
    SILU,
    /** x · Φ(x) with the exact normal distribution function. */
    GELU,
    /** GELU's approximation by tanh, the one of GPT-2. */
    GELU_TANH;

    /** That of the gated blocks of Llama and what descends from it. */
    static Activation readGated(JsonObject config) {
        return switch (config.string("hidden_act", "silu")) {
            case "silu", "swish" -> SILU;
            default -> throw config.unexpected("hidden_act", "silu, the one that Rankine has for this family");
        };
    }

    /** That of GPT-2's blocks. */
    static Activation readPlain(JsonObject config) {
        return switch (config.string("activation_function", "gelu_new")) {
            case "gelu" -> GELU;
            case "gelu_new", "gelu_pytorch_tanh" -> GELU_TANH;
            default ->
                throw config.unexpected(
                        "activation_function",
                        "gelu, gelu_new or gelu_pytorch_tanh, those that Rankine has for this family");
        };
    }
}
