package io.github.rankine.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.models.json.Json;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/**
 * Standard output, which carries a command's result and nothing else: UTF-8 whatever the locale, no failure to write
 * overlooked. A reader that has gone away ({@code rankine … | head}) ends the command quietly.
 */
final class Output extends OutputStream {
    private final OutputStream stream;

    /** The reader of standard output has closed it: nobody wants the rest. */
    static final class ClosedException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        private ClosedException(IOException cause) {
            super(cause);
        }
    }

    Output(OutputStream stream) {
        this.stream = stream;
    }

    /** Writes text, and hands it on at once. */
    void print(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        write(bytes, 0, bytes.length);
    }

    void println(String line) {
        print(line + "\n");
    }

    /** A machine-readable result. */
    void println(JsonNode json) {
        println(Json.write(json));
    }

    @Override
    public void write(int b) {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int start, int length) {
        try {
            stream.write(bytes, start, length);
            stream.flush();
        } catch (IOException e) {
            throw failure(e);
        }
    }

    private static RuntimeException failure(IOException e) {
        String message = String.valueOf(e.getMessage());
        // Java has no exception of its own for it; these are the words of Unix and of Windows.
        String words = message.toLowerCase(Locale.ROOT);
        if (words.contains("broken pipe") || words.contains("pipe is being closed")) {
            return new ClosedException(e);
        }
        return new RankineException("standard output cannot be written: " + message, e);
    }
}
