package io.github.rankine.bench.jmh;

import io.github.rankine.bench.Operands;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** The kernels under test and memory for their operands. */
@State(Scope.Benchmark)
public class KernelState {
    @Param({"vector", "reference"})
    public String kernels;

    @Param("1")
    public int threads;

    Kernels provider;
    Arena arena;

    @Setup(Level.Trial)
    public void open() {
        provider = KernelsLookup.named(kernels, threads);
        arena = Arena.ofShared();
    }

    /** Random numbers where the kernels compute. */
    Tensor tensor(long rows, long cols) {
        Tensor tensor = Operands.tensor(arena, rows, cols);
        provider.adopt(tensor.segment(), arena);
        return tensor;
    }

    Tensor zeros(long rows, long cols) {
        return Tensor.of(provider.allocate(arena, 4 * rows * cols), rows, cols);
    }

    @TearDown(Level.Trial)
    public void close() {
        arena.close();
        provider.close();
    }
}
