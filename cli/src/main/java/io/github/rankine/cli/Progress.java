package io.github.rankine.cli;

import io.github.rankine.models.run.MetricsEntry;
import java.io.PrintStream;
import java.time.Duration;
import java.util.Locale;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** How far a run is: a bar for somebody at a terminal, a line every so often for a file or a pipe. */
sealed interface Progress extends AutoCloseable {
    /** After each step. */
    void update(MetricsEntry entry);

    @Override
    void close();

    /** @param done steps that were taken before */
    static Progress of(Terminal terminal, int done, int total) {
        return terminal.interactive()
                ? new Bar(terminal.err(), done, total)
                : new Lines(terminal.err(), done, total, System.nanoTime());
    }

    private static String figures(MetricsEntry entry) {
        return String.format(
                Locale.ROOT,
                "loss %.4f, %,.0f tokens/s, %s",
                entry.loss(),
                entry.tokensPerSecond(),
                Figures.bytes(entry.memoryBytes()));
    }

    private static String evalLoss(MetricsEntry entry) {
        return entry.evalLoss().isEmpty()
                ? ""
                : String.format(
                        Locale.ROOT, ", eval loss %.4f", entry.evalLoss().getAsDouble());
    }

    /** A bar on one line of the terminal. */
    final class Bar implements Progress {
        private final ProgressBar bar;
        private String evaluated = "";

        private Bar(PrintStream err, int done, int total) {
            bar = new ProgressBarBuilder()
                    .setTaskName("step")
                    .setInitialMax(total)
                    .startsFrom(done, Duration.ZERO)
                    .setStyle(ProgressBarStyle.ASCII)
                    .setUpdateIntervalMillis(200)
                    .setConsumer(new ConsoleProgressBarConsumer(err))
                    .build();
        }

        @Override
        public void update(MetricsEntry entry) {
            evaluated = entry.evalLoss().isPresent() ? evalLoss(entry) : evaluated;
            bar.setExtraMessage(" " + figures(entry) + evaluated);
            bar.stepTo(entry.step());
        }

        @Override
        public void close() {
            bar.close();
        }
    }

    /** A plain line at the first and the last step, at evaluations, every twentieth of the run and every ten seconds. */
    final class Lines implements Progress {
        private static final long SECONDS = 10;
        private static final int PARTS = 20;

        private final PrintStream err;
        private final int done;
        private final int total;
        private final long start;
        private long printedAt;

        private Lines(PrintStream err, int done, int total, long start) {
            this.err = err;
            this.done = done;
            this.total = total;
            this.start = start;
            printedAt = start;
        }

        @Override
        public void update(MetricsEntry entry) {
            long now = System.nanoTime();
            int step = entry.step();
            boolean due = step == done + 1
                    || step == total
                    || entry.evalLoss().isPresent()
                    || step % Math.max(1, total / PARTS) == 0
                    || now - printedAt >= SECONDS * 1_000_000_000L;
            if (due) {
                printedAt = now;
                long left = Math.round((double) (now - start) * 1e-9 / (step - done) * (total - step));
                err.println("step " + step + "/" + total + ": " + figures(entry) + evalLoss(entry) + ", "
                        + (step == total ? "done" : duration(left) + " left"));
            }
        }

        private static String duration(long seconds) {
            return seconds < 60
                    ? seconds + " s"
                    : seconds < 3600
                            ? String.format(Locale.ROOT, "%d min %02d s", seconds / 60, seconds % 60)
                            : String.format(Locale.ROOT, "%d h %02d min", seconds / 3600, seconds % 3600 / 60);
        }

        @Override
        public void close() {
            // Every line is complete as it is.
        }
    }
}
