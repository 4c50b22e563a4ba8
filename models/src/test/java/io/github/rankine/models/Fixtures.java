package io.github.rankine.models;

import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;

/** The checkpoints, adapters and numbers that PyTorch, Transformers and PEFT wrote for comparison. */
public final class Fixtures {
    /** The cases with a model, an adapter and golden numbers; {@code llama-dora} has the adapter alone. */
    public static final List<String> CASES = List.of("llama-gqa", "llama-untied-llama3rope", "qwen2-bias", "gpt2");

    private Fixtures() {}

    /** The folder of a case: {@code model}, {@code adapter}, {@code golden.safetensors}, {@code train.json}. */
    public static Path folder(String name) {
        try {
            return Path.of(Fixtures.class.getResource("/fixtures/" + name).toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }
}
