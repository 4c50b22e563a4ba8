package io.github.rankine.bench.jmh;

import io.github.rankine.bench.Operands;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
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

/** The products of a linear layer, {@code outputs x inputs}: forward, of its input's gradient, of its weight's. Limited by {@link Peak#fma}. */
@State(Scope.Benchmark)
@Fork(3)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@OutputTimeUnit(TimeUnit.SECONDS)
public class Products {
    @Param({"576x576", "192x576", "1536x576", "576x1536", "896x896", "128x896", "4864x896", "896x4864"})
    public String shape;

    @Param({"256", "1024"})
    public int rows;

    @Param({"F32", "BF16", "F16"})
    public String weights;

    private Tensor input;
    private Tensor output;
    private Tensor gradient;
    private Weight weight;

    @Setup(Level.Trial)
    public void make(KernelState state) {
        String[] sides = shape.split("x");
        int outputs = Integer.parseInt(sides[0]);
        int inputs = Integer.parseInt(sides[1]);
        input = state.tensor(rows, inputs);
        output = state.tensor(rows, outputs);
        gradient = state.tensor(outputs, inputs);
        weight = Operands.weight(state.arena, DType.valueOf(weights), outputs, inputs);
    }

    @Benchmark
    public void forward(KernelState state, Rate rate) {
        state.provider.matmulNT(input, weight, output, 1, false);
        state.provider.finish();
        rate.flop(2.0 * rows * weight.size());
    }

    @Benchmark
    public void inputGradient(KernelState state, Rate rate) {
        state.provider.matmulNN(output, weight, input, 1, false);
        state.provider.finish();
        rate.flop(2.0 * rows * weight.size());
    }

    @Benchmark
    public void weightGradient(KernelState state, Rate rate) {
        state.provider.matmulTN(output, input, gradient, 1, false);
        state.provider.finish();
        rate.flop(2.0 * rows * weight.size());
    }
}
