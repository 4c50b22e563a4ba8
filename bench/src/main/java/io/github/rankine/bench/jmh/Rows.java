package io.github.rankine.bench.jmh;

import io.github.rankine.bench.Operands;
import io.github.rankine.engine.kernels.AdamWStep;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
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

/** What is done to rows and elements between the products. Limited by {@link Peak#read}. */
@State(Scope.Benchmark)
@Fork(3)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@OutputTimeUnit(TimeUnit.SECONDS)
public class Rows {
    private static final int VOCABULARY = 49152;
    private static final AdamWStep STEP = new AdamWStep(1, 1e-4, 0.9, 0.999, 1e-8, 0, 1);

    @Param("1024")
    public int rows;

    private Tensor x;
    private Tensor y;
    private Tensor dx;
    private Tensor inverseRms;
    private Weight weight;
    private Tensor gate;
    private Tensor up;
    private Tensor activated;
    private Tensor dGate;
    private Tensor dUp;
    private Tensor table;
    private int[] positions;
    private Tensor logits;
    private Tensor losses;
    private int[] targets;
    private Tensor parameter;
    private Tensor gradient;
    private Tensor first;
    private Tensor second;

    @Setup(Level.Trial)
    public void make(KernelState state) {
        x = state.tensor(rows, 576);
        y = state.tensor(rows, 576);
        dx = state.tensor(rows, 576);
        inverseRms = state.zeros(rows, 1);
        weight = Operands.weight(state.arena, DType.BF16, 1, 576);
        gate = state.tensor(rows, 1536);
        up = state.tensor(rows, 1536);
        activated = state.tensor(rows, 1536);
        dGate = state.tensor(rows, 1536);
        dUp = state.tensor(rows, 1536);
        table = state.tensor(rows, 64);
        positions = IntStream.range(0, rows).toArray();
        logits = state.tensor(256, VOCABULARY);
        losses = state.zeros(256, 1);
        targets = IntStream.range(0, 256).toArray();
        parameter = state.tensor(8, 576 * 128);
        gradient = state.tensor(8, 576 * 128);
        first = state.zeros(8, 576 * 128);
        second = state.zeros(8, 576 * 128);
        state.provider.rmsNorm(x, weight, 1e-5f, y, inverseRms);
    }

    @Benchmark
    public void rmsNorm(KernelState state, Rate rate) {
        state.provider.rmsNorm(x, weight, 1e-5f, y, inverseRms);
        state.provider.finish();
        rate.bytes(2 * x.bytes());
    }

    @Benchmark
    public void rmsNormBackward(KernelState state, Rate rate) {
        state.provider.rmsNormBackward(x, weight, inverseRms, y, dx, false, null);
        state.provider.finish();
        rate.bytes(3 * x.bytes());
    }

    @Benchmark
    public void rotary(KernelState state, Rate rate) {
        state.provider.rotary(y, positions, table, 64, false);
        state.provider.finish();
        rate.bytes(2 * y.bytes());
    }

    @Benchmark
    public void swiglu(KernelState state, Rate rate) {
        state.provider.swiglu(gate, up, activated);
        state.provider.finish();
        rate.bytes(3 * gate.bytes());
    }

    @Benchmark
    public void swigluBackward(KernelState state, Rate rate) {
        state.provider.swigluBackward(gate, up, activated, dGate, dUp);
        state.provider.finish();
        rate.bytes(5 * gate.bytes());
    }

    @Benchmark
    public void crossEntropy(KernelState state, Rate rate) {
        state.provider.crossEntropy(logits, targets, losses, true, 1f);
        state.provider.finish();
        rate.bytes(2 * logits.bytes());
    }

    @Benchmark
    public void adamW(KernelState state, Rate rate) {
        state.provider.adamW(parameter, gradient, first, second, STEP);
        state.provider.finish();
        rate.bytes(7 * parameter.bytes());
    }
}
