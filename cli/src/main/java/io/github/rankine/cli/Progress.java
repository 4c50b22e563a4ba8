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
    /** After each step of training. */
    void update(MetricsEntry entry);

    /** After each step of other work; {@code figures} tells something of it, as in {@code loss 0.5}. */
    void update(int done, String figures);

    @Override
    void close();

    /** @param done steps that were taken before */
    static Progress of(Terminal terminal, int done, int total) {
        return of(terminal, "step", done, total);
    }

    /** @param unit what is counted */
    static Progress of(Terminal terminal, String unit, int done, int total) {
        return terminal.interactive()
                ? new Bar(terminal.err(), unit, done, total)
                : new Lines(terminal.err(), unit, done, total, System.nanoTime());
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

        private Bar(PrintStream err, String unit, int done, int total) {
            bar = new ProgressBarBuilder()
                    .setTaskName(unit)
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
            update(entry.step(), figures(entry) + evaluated);
        }

        @Override
        public void update(int done, String figures) {
            bar.setExtraMessage(" " + figures);
            bar.stepTo(done);
        }

        @Override
        public void close() {
            bar.close();
        }
    }

    /** A plain line at the first and the last step, at evaluations, every twentieth of the run and every ten seconds. */
    final class Lines implements Progress {
        private static final long SECONDS = 10;
        private static final long SHORT_SECONDS = 3;
        private static final int PARTS = 20;

        private final PrintStream err;
        private final String unit;
        private final int done;
        private final int total;
        private final long start;
        private long printedAt;

        private Lines(PrintStream err, String unit, int done, int total, long start) {
            this.err = err;
            this.unit = unit;
            this.done = done;
            this.total = total;
            this.start = start;
            printedAt = start;
        }

        @Override
        public void update(MetricsEntry entry) {
            update(
                    entry.step(),
                    figures(entry) + evalLoss(entry),
                    entry.evalLoss().isPresent());
        }

        /** Other work's steps are many and alike: the last, and one every few seconds. */
        @Override
        public void update(int step, String figures) {
            if (step == total || System.nanoTime() - printedAt >= SHORT_SECONDS * 1_000_000_000L) {
                print(step, figures);
            }
        }

        private void update(int step, String figures, boolean important) {
            boolean due = step == done + 1
                    || step == total
                    || important
                    || step % Math.max(1, total / PARTS) == 0
                    || System.nanoTime() - printedAt >= SECONDS * 1_000_000_000L;
            if (due) {
                print(step, figures);
            }
        }

        private void print(int step, String figures) {
            printedAt = System.nanoTime();
            long left = Math.round((double) (printedAt - start) * 1e-9 / (step - done) * (total - step));
            err.println(unit + " " + step + "/" + total + ": " + figures + ", "
                    + (step == total ? "done" : duration(left) + " left"));
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
