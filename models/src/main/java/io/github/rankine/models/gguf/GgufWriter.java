package io.github.rankine.models.gguf;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.models.files.AtomicFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.SequencedMap;
import java.util.Set;

/**
 * Writes a GGUF file of version 3 with float32 matrices, as <a
 * href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">its specification</a> has it: all little-endian, metadata, the
 * matrices' names and shapes, then their elements, each matrix at a multiple of {@value #ALIGNMENT} bytes.
 */
public final class GgufWriter {
    /** What readers assume where the file says nothing of it. */
    static final int ALIGNMENT = 32;

    private static final int VERSION = 3;
    private static final int TYPE_F32 = 0;

    /** GGML_MAX_NAME of llama.cpp, which refuses a file with a longer name and counts the terminating zero. */
    private static final int MAX_NAME_BYTES = 63;

    private final ByteArrayOutputStream header = new ByteArrayOutputStream();

    private GgufWriter() {}

    /** A metadata value. */
    public sealed interface Value {}

    /** A string. */
    public record Text(String value) implements Value {}

    /** A 32-bit floating-point number. */
    public record Float32(float value) implements Value {}

    /**
     * A matrix to be written.
     *
     * @param name   its name
     * @param tensor its elements, contiguous
     */
    public record Matrix(String name, Tensor tensor) {
        public Matrix {
            if (!tensor.isContiguous()) {
                throw new IllegalArgumentException(name + ": rows with gaps between them");
            }
            if (name.getBytes(StandardCharsets.UTF_8).length > MAX_NAME_BYTES) {
                throw new IllegalArgumentException(name + ": a longer name than readers take");
            }
        }
    }

    /**
     * Replaces {@code file} by one that holds {@code metadata} and {@code matrices}, in their order.
     *
     * @throws RankineException when it cannot be written; what was there is then unchanged
     */
    public static void write(Path file, SequencedMap<String, Value> metadata, List<Matrix> matrices) {
        GgufWriter writer = new GgufWriter();
        writer.header(metadata, matrices);
        AtomicFile.write(file, out -> {
            AtomicFile.writeFully(out, ByteBuffer.wrap(writer.header.toByteArray()));
            pad(out, writer.header.size());
            for (Matrix matrix : matrices) {
                AtomicFile.writeFully(
                        out,
                        matrix.tensor().segment().asSlice(0, matrix.tensor().bytes()));
                pad(out, matrix.tensor().bytes());
            }
        });
    }

    private void header(SequencedMap<String, Value> metadata, List<Matrix> matrices) {
        header.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
        putInt(VERSION);
        putLong(matrices.size());
        putLong(metadata.size());
        metadata.forEach((key, value) -> {
            putString(key);
            switch (value) {
                case Text(String text) -> {
                    putInt(8);
                    putString(text);
                }
                case Float32(float number) -> {
                    putInt(6);
                    putInt(Float.floatToRawIntBits(number));
                }
            }
        });
        Set<String> names = new HashSet<>();
        long position = 0;
        for (Matrix matrix : matrices) {
            if (!names.add(matrix.name())) {
                throw new IllegalArgumentException("two matrices named " + matrix.name());
            }
            putString(matrix.name());
            putInt(2);
            // GGML counts dimensions from the one whose elements are neighbours in memory.
            putLong(matrix.tensor().cols());
            putLong(matrix.tensor().rows());
            putInt(TYPE_F32);
            putLong(position);
            position += matrix.tensor().bytes() + padding(matrix.tensor().bytes());
        }
    }

    private void putInt(int value) {
        header.writeBytes(ByteBuffer.allocate(Integer.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(value)
                .array());
    }

    private void putLong(long value) {
        header.writeBytes(ByteBuffer.allocate(Long.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(value)
                .array());
    }

    private void putString(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        putLong(bytes.length);
        header.writeBytes(bytes);
    }

    private static int padding(long bytes) {
        return (int) (-bytes & (ALIGNMENT - 1));
    }

    private static void pad(WritableByteChannel out, long bytes) throws IOException {
        AtomicFile.writeFully(out, ByteBuffer.allocate(padding(bytes)));
    }
}
