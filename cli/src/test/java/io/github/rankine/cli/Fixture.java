package io.github.rankine.cli;

import java.net.URISyntaxException;
import java.nio.file.Path;

/** The checkpoints, adapters and numbers that PyTorch, Transformers and PEFT wrote for comparison. */
record Fixture(Path folder) {
    static Fixture of(String name) {
        try {
            return new Fixture(
                    Path.of(Fixture.class.getResource("/fixtures/" + name).toURI()));
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    Path model() {
        return folder.resolve("model");
    }

    Path adapter() {
        return folder.resolve("adapter");
    }

    Path golden() {
        return folder.resolve("golden.safetensors");
    }
}
