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

    static Activation read(JsonObject config, String field, String absent) {
        return switch (config.string(field, absent)) {
            case "silu", "swish" -> SILU;
            case "gelu" -> GELU;
            case "gelu_new", "gelu_pytorch_tanh" -> GELU_TANH;
            default ->
                throw config.unexpected(
                        field, "an activation that Rankine has: silu, gelu, gelu_new or gelu_pytorch_tanh");
        };
    }
}
