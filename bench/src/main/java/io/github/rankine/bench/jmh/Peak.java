package io.github.rankine.bench.jmh;

import io.github.rankine.bench.ReadBandwidth;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** What the machine can do at most: fused multiply-adds from registers, and bytes read from memory. */
@State(Scope.Benchmark)
@Fork(2)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@OutputTimeUnit(TimeUnit.SECONDS)
public class Peak {
    private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
    private static final int FMA_STEPS = 1 << 20;
    private static final int ACCUMULATORS = 12;
    /** Far more than any cache holds. */
    private static final long BYTES = 512L << 20;

    @Param("1")
    public int threads;

    private ExecutorService pool;
    private ReadBandwidth bandwidth;
    private Arena arena;
    private MemorySegment memory;

    @Setup(Level.Trial)
    public void open() {
        pool = Executors.newFixedThreadPool(threads);
        bandwidth = new ReadBandwidth(threads);
        arena = Arena.ofShared();
        memory = arena.allocate(BYTES, 4096).fill((byte) 1);
    }

    @TearDown(Level.Trial)
    public void close() {
        pool.shutdown();
        bandwidth.close();
        arena.close();
    }

    @Benchmark
    public float fma(Rate rate) {
        rate.flop(2.0 * FMA_STEPS * ACCUMULATORS * FLOATS.length() * threads);
        List<Callable<Float>> tasks = Collections.nCopies(threads, () -> multiplyAdd(FMA_STEPS));
        try {
            float sum = 0;
            for (Future<Float> result : pool.invokeAll(tasks)) {
                sum += result.get();
            }
            return sum;
        } catch (InterruptedException | ExecutionException e) {
            throw new IllegalStateException(e);
        }
    }

    @Benchmark
    public int read(Rate rate) {
        rate.bytes(BYTES);
        return bandwidth.read(List.of(memory), 1);
    }

    /** The same as four streams side by side. */
    @Benchmark
    public int readFourStreams(Rate rate) {
        rate.bytes(BYTES);
        return bandwidth.read(List.of(memory), 4);
    }

    private static float multiplyAdd(int steps) {
        FloatVector x = FloatVector.broadcast(FLOATS, 0.999f);
        FloatVector c0 = x, c1 = x, c2 = x, c3 = x, c4 = x, c5 = x, c6 = x, c7 = x, c8 = x, c9 = x, ca = x, cb = x;
        for (int i = 0; i < steps; i++) {
            c0 = c0.fma(x, x);
            c1 = c1.fma(x, x);
            c2 = c2.fma(x, x);
            c3 = c3.fma(x, x);
            c4 = c4.fma(x, x);
            c5 = c5.fma(x, x);
            c6 = c6.fma(x, x);
            c7 = c7.fma(x, x);
            c8 = c8.fma(x, x);
            c9 = c9.fma(x, x);
            ca = ca.fma(x, x);
            cb = cb.fma(x, x);
        }
        FloatVector low = c0.add(c1).add(c2).add(c3).add(c4).add(c5);
        return low.add(c6).add(c7).add(c8).add(c9).add(ca).add(cb).lane(0);
    }
}
