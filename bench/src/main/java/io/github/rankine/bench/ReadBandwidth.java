package io.github.rankine.bench;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Reads memory as fast as it can be read by some threads, each a stretch of its own: as one stream, or as four side by side, for which of them
 * is faster depends on the processor.
 */
public final class ReadBandwidth implements AutoCloseable {
    private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
    private static final long PIECE = 1 << 20;

    private final int threads;
    private final ExecutorService pool;
    private final List<Double> oneStream = new ArrayList<>();
    private final List<Double> fourStreams = new ArrayList<>();

    public ReadBandwidth(int threads) {
        this.threads = threads;
        pool = Executors.newFixedThreadPool(threads);
    }

    /** Reads it all in each way, and notes how fast. */
    void measure(List<MemorySegment> memory) {
        oneStream.add(bytesPerSecond(memory, 1));
        fourStreams.add(bytesPerSecond(memory, 4));
    }

    private double bytesPerSecond(List<MemorySegment> memory, int streams) {
        long start = System.nanoTime();
        read(memory, streams);
        return memory.stream().mapToLong(MemorySegment::byteSize).sum() / ((System.nanoTime() - start) * 1e-9);
    }

    /** Forgets what was measured until now: the warm-up. */
    void forget() {
        oneStream.clear();
        fourStreams.clear();
    }

    /** Bytes per second of the faster way, the median of all measured. */
    double median() {
        return Math.max(median(oneStream), median(fourStreams));
    }

    private static double median(List<Double> samples) {
        return Median.of(samples.stream().mapToDouble(Double::doubleValue).toArray());
    }

    /** Reads it all as one stream or four; the sum keeps the compiler from leaving that out. */
    public int read(List<MemorySegment> memory, int streams) {
        List<MemorySegment> pieces = new ArrayList<>();
        for (MemorySegment segment : memory) {
            for (long from = 0; from < segment.byteSize(); from += PIECE) {
                pieces.add(segment.asSlice(from, Math.min(PIECE, segment.byteSize() - from)));
            }
        }
        List<Callable<Integer>> tasks = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            List<MemorySegment> share = pieces.subList(pieces.size() * i / threads, pieces.size() * (i + 1) / threads);
            tasks.add(() -> share.stream()
                    .mapToInt(piece -> streams == 1 ? sum(piece) : sumOfFour(piece))
                    .sum());
        }
        try {
            int sum = 0;
            for (Future<Integer> result : pool.invokeAll(tasks)) {
                sum += result.get();
            }
            return sum;
        } catch (InterruptedException | ExecutionException e) {
            throw new IllegalStateException(e);
        }
    }

    private static int sum(MemorySegment memory) {
        IntVector a = IntVector.zero(INTS), b = a, c = a, d = a;
        long bytes = INTS.vectorByteSize();
        // From the first whole line: a checkpoint's tensors lie at any address.
        long from = -memory.address() & (bytes - 1);
        for (long at = from; at <= memory.byteSize() - 4 * bytes; at += 4 * bytes) {
            a = a.add(IntVector.fromMemorySegment(INTS, memory, at, ByteOrder.LITTLE_ENDIAN));
            b = b.add(IntVector.fromMemorySegment(INTS, memory, at + bytes, ByteOrder.LITTLE_ENDIAN));
            c = c.add(IntVector.fromMemorySegment(INTS, memory, at + 2 * bytes, ByteOrder.LITTLE_ENDIAN));
            d = d.add(IntVector.fromMemorySegment(INTS, memory, at + 3 * bytes, ByteOrder.LITTLE_ENDIAN));
        }
        return a.add(b).add(c).add(d).reduceLanes(VectorOperators.ADD);
    }

    private static int sumOfFour(MemorySegment memory) {
        IntVector a = IntVector.zero(INTS), b = a, c = a, d = a;
        long bytes = INTS.vectorByteSize();
        long from = -memory.address() & (bytes - 1);
        long quarter = (memory.byteSize() - from) / (4 * bytes) * bytes;
        for (long at = from; at < from + quarter; at += bytes) {
            a = a.add(IntVector.fromMemorySegment(INTS, memory, at, ByteOrder.LITTLE_ENDIAN));
            b = b.add(IntVector.fromMemorySegment(INTS, memory, at + quarter, ByteOrder.LITTLE_ENDIAN));
            c = c.add(IntVector.fromMemorySegment(INTS, memory, at + 2 * quarter, ByteOrder.LITTLE_ENDIAN));
            d = d.add(IntVector.fromMemorySegment(INTS, memory, at + 3 * quarter, ByteOrder.LITTLE_ENDIAN));
        }
        return a.add(b).add(c).add(d).reduceLanes(VectorOperators.ADD);
    }

    @Override
    public void close() {
        pool.shutdown();
    }
}
