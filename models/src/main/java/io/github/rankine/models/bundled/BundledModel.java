package io.github.rankine.models.bundled;

import io.github.rankine.models.files.AtomicFile;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** The small model that comes with Rankine; {@link Pretraining} made it. */
public final class BundledModel {
    /** Its weights' file. */
    public static final String WEIGHTS = "model.safetensors";

    /** Its files, beside this class in the jar. */
    private static final List<String> FILES = List.of(
            "README.md", "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", WEIGHTS);

    private static final String RESOURCES = "model/";

    private BundledModel() {}

    /**
     * Writes the model into {@code folder}, which is made if need be, as a checkpoint like any other. Files that are there
     * already and the same are not touched.
     *
     * @throws io.github.rankine.engine.RankineException when a file cannot be written
     */
    public static void unpack(Path folder) {
        AtomicFile.createFolder(folder);
        for (String name : FILES) {
            byte[] content = read(name);
            Path file = folder.resolve(name);
            if (!holds(file, content)) {
                AtomicFile.write(file, out -> AtomicFile.writeFully(out, ByteBuffer.wrap(content)));
            }
        }
    }

    private static boolean holds(Path file, byte[] content) {
        try {
            return Files.isRegularFile(file)
                    && Files.size(file) == content.length
                    && Arrays.equals(Files.readAllBytes(file), content);
        } catch (IOException _) {
            return false; // then writing it will tell what is wrong
        }
    }

    private static byte[] read(String name) {
        try (InputStream in = BundledModel.class.getResourceAsStream(RESOURCES + name)) {
            if (in == null) {
                throw new IllegalStateException(name + " is missing in Rankine's jar");
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
