package io.github.rankine.bench.jmh;

import io.github.rankine.engine.tensor.Tensor;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** The products of a LoRA layer, which read and write far more than they compute: limited by {@link Peak#read}. */
@State(Scope.Benchmark)
@Fork(3)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@OutputTimeUnit(TimeUnit.SECONDS)
public class LowRankProducts {
    @Param({"4", "8", "16", "32", "64"})
    public int rank;

    @Param({"576", "1536"})
    public int features;

    @Param("1024")
    public int rows;

    private Tensor x;
    private Tensor a;
    private Tensor u;
    private Tensor b;
    private Tensor y;
    private Tensor w;

    @Setup(Level.Trial)
    public void make(KernelState state) {
        x = state.tensor(rows, features);
        a = state.tensor(rank, features);
        u = state.tensor(rows, rank);
        b = state.tensor(features, rank);
        y = state.tensor(rows, features);
        w = state.tensor(features, features);
    }

    private void count(Rate rate, int passes) {
        rate.flop(2.0 * rows * rank * features);
        rate.bytes(4.0 * passes * rows * features);
    }

    /** {@code u = x · Aᵀ}. */
    @Benchmark
    public void down(KernelState state, Rate rate) {
        state.provider.matmulNT(x, a.asWeight(), u, 1, false);
        state.provider.finish();
        count(rate, 1);
    }

    /** {@code y += u · Bᵀ}. */
    @Benchmark
    public void up(KernelState state, Rate rate) {
        state.provider.matmulNT(u, b.asWeight(), y, 1e-9f, true);
        state.provider.finish();
        count(rate, 2);
    }

    /** {@code y = x · Wᵀ + u · Bᵀ}, as in a layer with a single adapter. */
    @Benchmark
    public void joined(KernelState state, Rate rate) {
        state.provider.matmulNT(x, w.asWeight(), u, b.asWeight(), y, false);
        state.provider.finish();
        rate.flop(2.0 * rows * features * (features + rank));
        rate.bytes(4.0 * 2 * rows * features);
    }

    /** {@code dA += uᵀ · x}. */
    @Benchmark
    public void gradientOfA(KernelState state, Rate rate) {
        state.provider.matmulTN(u, x, a, 1e-9f, true);
        state.provider.finish();
        count(rate, 1);
    }

    /** {@code dB += yᵀ · u}. */
    @Benchmark
    public void gradientOfB(KernelState state, Rate rate) {
        state.provider.matmulTN(y, u, b, 1e-9f, true);
        state.provider.finish();
        count(rate, 1);
    }
}
