package io.github.rankine.models.safetensors;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** Puts together the bytes of safetensors files, damaged ones too. */
public final class RawSafetensors {
    private RawSafetensors() {}

    /** The bytes of a file with that header, whatever it says, and that much data. */
    public static byte[] bytes(String header, byte[] data) {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        return bytes(json.length, json, data);
    }

    /** The bytes of a file that claims a header of {@code length} bytes. */
    static byte[] bytes(long length, byte[] header, byte[] data) {
        return ByteBuffer.allocate(Long.BYTES + header.length + data.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(length)
                .put(header)
                .put(data)
                .array();
    }

    /** The header's text of a sound file. */
    public static String header(Path file) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        int length = Math.toIntExact(
                ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong());
        return new String(bytes, Long.BYTES, length, StandardCharsets.UTF_8);
    }

    /** What follows the header of a sound file. */
    public static byte[] data(Path file) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        long length = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
        return Arrays.copyOfRange(bytes, Math.toIntExact(Long.BYTES + length), bytes.length);
    }
}
