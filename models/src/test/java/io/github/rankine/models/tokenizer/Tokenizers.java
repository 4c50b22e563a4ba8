package io.github.rankine.models.tokenizer;

import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;

/** Two small tokenizers, trained on a few lines written for the purpose. */
public final class Tokenizers {
    private Tokenizers() {}

    /** As GPT-2's: byte-level, no token before a text, {@code trim_offsets}; ends with {@code <|endoftext|>}, 0. */
    public static Tokenizer byteLevel() {
        return Tokenizer.open(folder("bytelevel"), List.of());
    }

    /** As Llama 2's: characters with bytes to fall back on, {@code <s>}, 1, before a text; ends with {@code </s>}, 2. */
    public static Tokenizer sentencePiece() {
        return Tokenizer.open(folder("sentencepiece"), List.of());
    }

    /** The folder of one of them. */
    public static Path folder(String name) {
        try {
            return Path.of(Tokenizers.class.getResource("/tokenizers/" + name).toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }
}
