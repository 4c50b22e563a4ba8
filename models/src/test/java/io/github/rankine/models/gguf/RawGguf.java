package io.github.rankine.models.gguf;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A GGUF file taken apart by the letter of its specification, with nothing of the writer's.
 *
 * @param metadata strings and floats by key
 * @param tensors  by name, in the file's order
 * @param data     where the tensors' data begins
 * @param length   bytes of the file
 */
public record RawGguf(Map<String, Object> metadata, Map<String, Tensor> tensors, int data, int length) {

    /**
     * A float32 tensor.
     *
     * @param dimensions as the file has them, the innermost first
     * @param offset     from the beginning of the data
     * @param values     its elements
     */
    public record Tensor(List<Long> dimensions, long offset, float[] values) {
        /** Of a matrix. */
        public float get(int row, int col) {
            return values[Math.toIntExact(row * dimensions.get(0) + col)];
        }

        public int cols() {
            return Math.toIntExact(dimensions.get(0));
        }

        public int rows() {
            return Math.toIntExact(dimensions.get(1));
        }
    }

    public static RawGguf read(Path file) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        if (bytes.getInt() != 0x46554747 || bytes.getInt() != 3) {
            throw new IOException("not a GGUF file of version 3");
        }
        long tensorCount = bytes.getLong();
        long metadataCount = bytes.getLong();
        Map<String, Object> metadata = new LinkedHashMap<>();
        for (long i = 0; i < metadataCount; i++) {
            String key = string(bytes);
            int type = bytes.getInt();
            metadata.put(
                    key,
                    switch (type) {
                        case 6 -> bytes.getFloat();
                        case 8 -> string(bytes);
                        default -> throw new IOException(key + ": type " + type);
                    });
        }
        Map<String, Tensor> shapes = new LinkedHashMap<>();
        for (long i = 0; i < tensorCount; i++) {
            String name = string(bytes);
            List<Long> dimensions = new ArrayList<>();
            int count = bytes.getInt();
            for (int d = 0; d < count; d++) {
                dimensions.add(bytes.getLong());
            }
            if (bytes.getInt() != 0) {
                throw new IOException(name + ": not float32");
            }
            shapes.put(name, new Tensor(dimensions, bytes.getLong(), null));
        }
        int data = (bytes.position() + 31) / 32 * 32;
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        shapes.forEach((name, shape) -> {
            float[] values =
                    new float[Math.toIntExact(shape.dimensions().stream().reduce(1L, Math::multiplyExact))];
            bytes.slice(Math.toIntExact(data + shape.offset()), 4 * values.length)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .asFloatBuffer()
                    .get(values);
            tensors.put(name, new Tensor(shape.dimensions(), shape.offset(), values));
        });
        return new RawGguf(metadata, tensors, data, bytes.capacity());
    }

    private static String string(ByteBuffer bytes) {
        byte[] text = new byte[Math.toIntExact(bytes.getLong())];
        bytes.get(text);
        return new String(text, StandardCharsets.UTF_8);
    }
}
