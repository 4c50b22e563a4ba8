package io.github.rankine.models.run;

import io.github.rankine.engine.RankineException;
import io.github.rankine.models.files.AtomicFile;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Consumer;

/**
 * A run's {@code metrics.jsonl}: a line for each step, appended as the step ends. While it is open the file is locked,
 * so that no second run writes into the same folder.
 */
public final class MetricsLog implements AutoCloseable {
    private final Path file;
    private final FileChannel channel;
    private long tokens;
    private MetricsEntry last;
    private OptionalDouble lastEvalLoss = OptionalDouble.empty();

    private MetricsLog(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /**
     * Opens a log, made if need be, to be continued after {@code step}: what later steps wrote, and a line that was cut
     * short, is cut off.
     *
     * @throws RankineException when it cannot be written, or another run has it open
     */
    static MetricsLog continueAfter(Path file, int step) {
        FileChannel channel = null;
        try {
            channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            lock(file, channel);
            MetricsLog log = new MetricsLog(file, channel);
            long kept = scan(file, step, log::count);
            channel.truncate(kept).position(kept);
            return log;
        } catch (IOException e) {
            close(channel);
            throw failure(file, e);
        } catch (RuntimeException | Error e) {
            close(channel);
            throw e;
        }
    }

    /** The entries of a log, up to a line that is cut short or malformed. */
    public static List<MetricsEntry> read(Path file) {
        List<MetricsEntry> entries = new ArrayList<>();
        try {
            scan(file, Integer.MAX_VALUE, entries::add);
        } catch (IOException e) {
            throw new RankineException(file + ": cannot be read (" + e.getMessage() + ")", e);
        }
        return entries;
    }

    private static void lock(Path file, FileChannel channel) throws IOException {
        try {
            if (channel.tryLock() != null) {
                return;
            }
        } catch (OverlappingFileLockException _) {
            // The other run is in this process.
        }
        throw new RankineException(file + ": another run is writing here; wait for it or choose another --output");
    }

    /** Hands on the entries up to {@code lastStep} and returns where they end, in bytes. */
    private static long scan(Path file, int lastStep, Consumer<MetricsEntry> entries) throws IOException {
        long end = 0;
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
            Optional<byte[]> line = nextLine(in);
            while (line.isPresent()) {
                MetricsEntry entry;
                try {
                    entry = MetricsEntry.parse(new String(line.get(), StandardCharsets.UTF_8), file.toString());
                } catch (RankineException _) {
                    return end;
                }
                if (entry.step() > lastStep) {
                    return end;
                }
                entries.accept(entry);
                end += line.get().length;
                line = nextLine(in);
            }
        }
        return end;
    }

    /** The next line with its end; empty when there is no whole one. */
    private static Optional<byte[]> nextLine(InputStream in) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int b = in.read(); b >= 0; b = in.read()) {
            line.write(b);
            if (b == '\n') {
                return Optional.of(line.toByteArray());
            }
        }
        return Optional.empty();
    }

    private void count(MetricsEntry entry) {
        tokens += entry.tokens();
        last = entry;
        if (entry.evalLoss().isPresent()) {
            lastEvalLoss = entry.evalLoss();
        }
    }

    void append(MetricsEntry entry) {
        try {
            AtomicFile.writeFully(channel, ByteBuffer.wrap(entry.toLine().getBytes(StandardCharsets.UTF_8)));
        } catch (IOException e) {
            throw failure(file, e);
        }
        count(entry);
    }

    /** Makes what was appended last through a power cut. */
    void force() {
        try {
            channel.force(false);
        } catch (IOException e) {
            throw failure(file, e);
        }
    }

    /** Tokens of all steps together. */
    public long tokens() {
        return tokens;
    }

    /** The last step, if there is one. */
    public Optional<MetricsEntry> last() {
        return Optional.ofNullable(last);
    }

    /** The last evaluation's loss, if there was one. */
    public OptionalDouble lastEvalLoss() {
        return lastEvalLoss;
    }

    private static RankineException failure(Path file, IOException e) {
        return new RankineException(file + ": cannot be written (" + e.getMessage() + ")", e);
    }

    private static void close(FileChannel channel) {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException _) {
            // What led here is the failure to report.
        }
    }

    @Override
    public void close() {
        close(channel);
    }
}
