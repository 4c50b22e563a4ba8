package io.github.rankine.models.data;

import io.github.rankine.engine.RankineException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Finds the first byte of a file that is not UTF-8, and lines too long to be records, before anything else reads it. */
final class Utf8Check {
    private static final int BUFFER = 1 << 16;

    /** Characters of a line; a record of a million tokens has fewer. */
    private static final long MAX_LINE = 64L << 20;

    private final Path file;
    private long line = 1;
    private long lineLength;
    private long decoded;

    private Utf8Check(Path file) {
        this.file = file;
    }

    static void check(Path file) {
        try (FileChannel channel = FileChannel.open(file)) {
            new Utf8Check(file).run(channel);
        } catch (IOException e) {
            throw new RankineException(file + ": cannot be read (" + e.getMessage() + "); check its permissions", e);
        }
    }

    private void run(FileChannel channel) throws IOException {
        CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
        ByteBuffer bytes = ByteBuffer.allocate(BUFFER);
        CharBuffer chars = CharBuffer.allocate(BUFFER);
        boolean end = false;
        while (!end) {
            end = channel.read(bytes) < 0;
            bytes.flip();
            CoderResult result = decoder.decode(bytes, chars, end);
            decoded += bytes.position();
            count(chars.flip());
            if (result.isError()) {
                throw new RankineException(file + ": line " + line + ": not UTF-8 at byte " + decoded
                        + " of the file (0x" + String.format("%02X", bytes.get()) + "); save the file as UTF-8");
            }
            chars.clear();
            bytes.compact();
        }
    }

    private void count(CharBuffer chars) {
        while (chars.hasRemaining()) {
            boolean newLine = chars.get() == '\n';
            lineLength = newLine ? 0 : lineLength + 1;
            line += newLine ? 1 : 0;
            if (lineLength > MAX_LINE) {
                throw new RankineException(file + ": line " + line + " has more than " + MAX_LINE
                        + " characters; split what is on it into several records");
            }
        }
    }
}
