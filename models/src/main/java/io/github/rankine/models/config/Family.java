package io.github.rankine.models.config;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** The model families that can be built, under their {@code model_type} in config.json in lower case. */
public enum Family {
    LLAMA,
    MISTRAL,
    QWEN2,
    GPT2;

    /** The {@code model_type} that names it. */
    public String modelType() {
        return name().toLowerCase(Locale.ROOT);
    }

    static Optional<Family> named(String modelType) {
        return Arrays.stream(values())
                .filter(f -> f.modelType().equals(modelType))
                .findFirst();
    }

    static String modelTypes() {
        return Arrays.stream(values()).map(Family::modelType).collect(Collectors.joining(", "));
    }
}
