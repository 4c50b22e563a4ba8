package io.github.rankine.bench;

import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** Fused multiply-adds in registers, as fast as some threads can do them: what no product can exceed. */
public final class MultiplyAddRate implements AutoCloseable {
    private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
    /** So many that waking the threads takes no time beside them. */
    private static final int STEPS = 1 << 23;

    private static final int ACCUMULATORS = 12;

    private final int threads;
    private final ExecutorService pool;

    public MultiplyAddRate(int threads) {
        this.threads = threads;
        pool = Executors.newFixedThreadPool(threads);
    }

    /** Operations of a {@link #run}, two a multiply-add. */
    public double flop() {
        return 2.0 * STEPS * ACCUMULATORS * FLOATS.length() * threads;
    }

    /** Does them; the sum keeps the compiler from leaving that out. */
    public float run() {
        List<Callable<Float>> tasks = Collections.nCopies(threads, MultiplyAddRate::multiplyAdd);
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

    private static float multiplyAdd() {
        // Sums are the addends, which a multiply-add overwrites: as factors they would each cost a move too.
        FloatVector x = FloatVector.broadcast(FLOATS, 0.999f);
        FloatVector y = FloatVector.broadcast(FLOATS, 0.001f);
        FloatVector c0 = x, c1 = x, c2 = x, c3 = x, c4 = x, c5 = x, c6 = x, c7 = x, c8 = x, c9 = x, ca = x, cb = x;
        for (int i = 0; i < STEPS; i++) {
            c0 = x.fma(y, c0);
            c1 = x.fma(y, c1);
            c2 = x.fma(y, c2);
            c3 = x.fma(y, c3);
            c4 = x.fma(y, c4);
            c5 = x.fma(y, c5);
            c6 = x.fma(y, c6);
            c7 = x.fma(y, c7);
            c8 = x.fma(y, c8);
            c9 = x.fma(y, c9);
            ca = x.fma(y, ca);
            cb = x.fma(y, cb);
        }
        FloatVector low = c0.add(c1).add(c2).add(c3).add(c4).add(c5);
        return low.add(c6).add(c7).add(c8).add(c9).add(ca).add(cb).lane(0);
    }

    @Override
    public void close() {
        pool.shutdown();
    }
}
