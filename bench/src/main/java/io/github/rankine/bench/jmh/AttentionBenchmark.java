package io.github.rankine.bench.jmh;

import io.github.rankine.engine.kernels.AttentionShape;
import io.github.rankine.engine.kernels.AttentionSpans;
import io.github.rankine.engine.tensor.Tensor;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
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

/** Causal attention of SmolLM2-135M's shape: 9 heads over 3 of keys, 64 features each. */
@State(Scope.Benchmark)
@Fork(3)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@OutputTimeUnit(TimeUnit.SECONDS)
public class AttentionBenchmark {
    private static final AttentionShape SHAPE = new AttentionShape(9, 3, 64, 0.125f, 0);

    @Param({"8x128", "4x256", "1x1024"})
    public String batch;

    private AttentionSpans spans;
    private double pairs;
    private int length;
    private Tensor q;
    private Tensor k;
    private Tensor v;
    private Tensor out;
    private Tensor logSumExp;
    private Tensor cachedKeys;
    private Tensor cachedValues;
    private Tensor dOut;
    private Tensor dq;
    private Tensor dk;
    private Tensor dv;

    @Setup(Level.Trial)
    public void make(KernelState state) {
        String[] sides = batch.split("x");
        int sequences = Integer.parseInt(sides[0]);
        length = Integer.parseInt(sides[1]);
        int rows = sequences * length;
        spans = AttentionSpans.ofSequences(
                IntStream.rangeClosed(0, sequences).map(i -> i * length).toArray());
        pairs = (double) sequences * length * (length + 1) / 2 * SHAPE.heads();
        q = state.tensor(rows, 576);
        k = state.tensor(rows, 192);
        v = state.tensor(rows, 192);
        out = state.tensor(rows, 576);
        logSumExp = state.tensor(rows, SHAPE.heads());
        dOut = state.tensor(rows, 576);
        dq = state.tensor(rows, 576);
        dk = state.tensor(rows, 192);
        dv = state.tensor(rows, 192);
        state.provider.attention(q, k, v, spans, SHAPE, out, logSumExp);
        cachedKeys = state.provider.allocateCache(state.arena, length, SHAPE);
        cachedValues = state.provider.allocateCache(state.arena, length, SHAPE);
        state.provider.store(k.rows(0, length), v.rows(0, length), cachedKeys, cachedValues, 0, SHAPE);
    }

    @Benchmark
    public void forward(KernelState state, Rate rate) {
        state.provider.attention(q, k, v, spans, SHAPE, out, logSumExp);
        state.provider.finish();
        rate.flop(2 * 2 * 64 * pairs);
    }

    @Benchmark
    public void backward(KernelState state, Rate rate) {
        state.provider.attentionBackward(q, k, v, spans, SHAPE, out, logSumExp, dOut, dq, dk, dv);
        state.provider.finish();
        rate.flop(5 * 2 * 64 * pairs);
    }

    /** One query against all keys of a sequence, as a generated token is. */
    @Benchmark
    public void decode(KernelState state, Rate rate) {
        state.provider.cachedAttention(
                q.rows(0, 1), cachedKeys, cachedValues, length, SHAPE, out.rows(0, 1), logSumExp.rows(0, 1));
        state.provider.finish();
        rate.bytes(2.0 * 4 * length * 192);
    }
}
