package io.github.rankine.models.tokenizer;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import io.github.rankine.engine.RankineException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** Makes tokenizers with the native library that DJL carries in its jar, offline and with its defaults turned off. */
final class NativeTokenizers {
    /** It cuts every text at 512 tokens unless told not to. */
    private static final Map<String, String> OPTIONS = Map.of("truncation", "false", "padding", "false");

    private NativeTokenizers() {}

    /** Makes a tokenizer of a tokenizer.json's text; {@code source} is what complaints call it. */
    static HuggingFaceTokenizer create(String json, String source) {
        // Otherwise it looks for a CUDA device, and fetches another library for it from the network.
        setDefault("RUST_FLAVOR", "cpu");
        setDefault("OPT_OUT_TRACKING", "true");
        try {
            return HuggingFaceTokenizer.newInstance(
                    new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8)), OPTIONS);
        } catch (LinkageError | ai.djl.engine.EngineException e) {
            throw new RankineException(
                    "the native tokenizer library cannot be loaded (" + reason(e)
                            + "); it is made for Linux (glibc; x86-64, aarch64), macOS (aarch64) and Windows (x86-64),"
                            + " and unpacked into ~/.djl.ai or the folder that the environment variable DJL_CACHE_DIR"
                            + " names, which must be writable",
                    e);
        } catch (IOException | RuntimeException e) {
            throw new RankineException(
                    source + ": not a tokenizer (" + reason(e)
                            + "); copy tokenizer.json anew from where the model is from",
                    e);
        }
    }

    private static void setDefault(String name, String value) {
        if (System.getenv(name) == null && System.getProperty(name) == null) {
            System.setProperty(name, value);
        }
    }

    /** What went wrong at the bottom. */
    static String reason(Throwable e) {
        Throwable root = e;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return root.getMessage() == null ? root.getClass().getSimpleName() : root.getMessage();
    }
}
