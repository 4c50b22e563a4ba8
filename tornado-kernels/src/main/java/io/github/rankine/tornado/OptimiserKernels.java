package io.github.rankine.tornado;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** The update of parameters, a thread an element. */
final class OptimiserKernels {
    private OptimiserKernels() {}

    /**
     * AdamW (Loshchilov and Hutter 2019); parameters: elements, columns, parameter, gradient, both moments, and where among the scalars
     * stand gradient scale, 1 − lr·wd, β₁, 1 − β₁, β₂, 1 − β₂, step size, √(1 − β₂ᵗ), ε.
     */
    static void adamW(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int i = context.globalIdx;
        if (i < layout.get(at)) {
            int cols = layout.get(at + 1);
            int row = i / cols;
            int col = i % cols;
            int p = layout.get(at + 2) + row * layout.get(at + 3) + col;
            int m = layout.get(at + 6) + row * layout.get(at + 7) + col;
            int v = layout.get(at + 8) + row * layout.get(at + 9) + col;
            int s = layout.get(at + 10);
            float g = floats.get(layout.get(at + 4) + row * layout.get(at + 5) + col) * scalars.get(s);
            float mean = floats.get(m) * scalars.get(s + 2) + g * scalars.get(s + 3);
            float square = floats.get(v) * scalars.get(s + 4) + g * g * scalars.get(s + 5);
            floats.set(m, mean);
            floats.set(v, square);
            float denominator = TornadoMath.sqrt(square) / scalars.get(s + 7) + scalars.get(s + 8);
            floats.set(p, floats.get(p) * scalars.get(s + 1) - scalars.get(s + 6) * mean / denominator);
        }
    }
}
