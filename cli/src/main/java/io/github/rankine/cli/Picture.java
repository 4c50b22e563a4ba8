package io.github.rankine.cli;

import java.io.IOException;
import java.util.Optional;
import java.util.function.Supplier;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.internal.chartpart.Chart;

/** Draws charts without a screen. */
final class Picture {
    private Picture() {}

    /**
     * A chart as PNG; a system that cannot draw, as one without fonts, costs the picture alone, and a note.
     *
     * @param what what the picture shows, for the note
     */
    static Optional<byte[]> png(Supplier<? extends Chart<?, ?>> chart, String what, Terminal terminal) {
        System.setProperty("java.awt.headless", "true");
        try {
            return Optional.of(BitmapEncoder.getBitmapBytes(chart.get(), BitmapEncoder.BitmapFormat.PNG));
        } catch (OutOfMemoryError e) {
            throw e;
        } catch (IOException | RuntimeException | Error e) {
            // Java's font manager throws whatever occurs to it: InternalError, LinkageError, a plain Error.
            terminal.note("no picture of " + what + ": Java cannot draw here, are fontconfig and a font installed? ("
                    + e.getMessage() + ")");
            return Optional.empty();
        }
    }
}
