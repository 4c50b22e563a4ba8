package io.github.rankine.tornado;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** A thread for each column, which adds the rows up in their order. Parameters begin with the numbers of columns and of rows. */
final class ColumnKernels {
    private ColumnKernels() {}

    /** {@code out += Σ dy}; parameters: dy, out. */
    static void sum(KernelContext context, IntArray state, IntArray layout, FloatArray floats, IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int col = context.globalIdx;
        if (col < layout.get(at)) {
            float sum = 0;
            for (int row = 0; row < layout.get(at + 1); row++) {
                sum += floats.get(layout.get(at + 2) + row * layout.get(at + 3) + col);
            }
            int to = layout.get(at + 4) + col;
            floats.set(to, floats.get(to) + sum);
        }
    }

    /**
     * {@code out += Σ dy · (x − mean) · inverse}, where each row has its statistics; parameters: dy, x, statistics, out, whether there is a
     * mean before the inverse.
     */
    static void normalised(KernelContext context, IntArray state, IntArray layout, FloatArray floats, IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int col = context.globalIdx;
        if (col < layout.get(at)) {
            int centred = layout.get(at + 9);
            float sum = 0;
            for (int row = 0; row < layout.get(at + 1); row++) {
                int place = layout.get(at + 6) + row * layout.get(at + 7);
                float value = floats.get(layout.get(at + 4) + row * layout.get(at + 5) + col);
                if (centred == 1) {
                    value -= floats.get(place);
                }
                value *= floats.get(place + centred);
                sum += value * floats.get(layout.get(at + 2) + row * layout.get(at + 3) + col);
            }
            int to = layout.get(at + 8) + col;
            floats.set(to, floats.get(to) + sum);
        }
    }

    /** {@code out += Σ dy · (x − bias) · factors}; parameters: dy, x, factors, out, whether there is a bias, the bias. */
    static void rescaled(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray words,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int col = context.globalIdx;
        if (col < layout.get(at)) {
            float shift = 0;
            if (layout.get(at + 8) == 1) {
                shift = Stored.at(floats, words, scalars, layout, at + 9, col);
            }
            float sum = 0;
            for (int row = 0; row < layout.get(at + 1); row++) {
                float value = floats.get(layout.get(at + 4) + row * layout.get(at + 5) + col) - shift;
                sum += value * floats.get(layout.get(at + 2) + row * layout.get(at + 3) + col);
            }
            int to = layout.get(at + 7) + col;
            floats.set(to, floats.get(to) + sum * floats.get(layout.get(at + 6) + col));
        }
    }

    /** Squared lengths of a weight's columns; parameters: out, the weight. */
    static void squaredNorms(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray words,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int col = context.globalIdx;
        int cols = layout.get(at);
        if (col < cols) {
            float sum = 0;
            for (int row = 0; row < layout.get(at + 1); row++) {
                float v = Stored.at(floats, words, scalars, layout, at + 3, row * cols + col);
                sum += v * v;
            }
            floats.set(layout.get(at + 2) + col, sum);
        }
    }

    /** {@code dTable[ids[i]] += dy[i]}; parameters: dy, dTable, the ids in the state. */
    static void embeddingBackward(
            KernelContext context, IntArray state, IntArray layout, FloatArray floats, IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int col = context.globalIdx;
        if (col < layout.get(at)) {
            for (int i = 0; i < layout.get(at + 1); i++) {
                int to = layout.get(at + 4) + state.get(layout.get(at + 6) + i) * layout.get(at + 5) + col;
                floats.set(to, floats.get(to) + floats.get(layout.get(at + 2) + i * layout.get(at + 3) + col));
            }
        }
    }

    /**
     * {@code norm² = squares + Σ b · (2s · aw + s² · ba)} for each of n rows; parameters: r, squares, aw, ba, factors, inverseNorms, s, b and
     * magnitude as weights.
     */
    static void doraFactors(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray words,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int j = context.globalIdx;
        if (j < layout.get(at)) {
            int rank = layout.get(at + 1);
            float s = scalars.get(layout.get(at + 9));
            float sum = floats.get(layout.get(at + 2) + j);
            for (int i = 0; i < rank; i++) {
                float inner = 2f * s * floats.get(layout.get(at + 3) + i * layout.get(at + 4) + j)
                        + s * s * floats.get(layout.get(at + 5) + j * layout.get(at + 6) + i);
                sum += Stored.at(floats, words, scalars, layout, at + 10, j * rank + i) * inner;
            }
            float inverse = 1f / TornadoMath.sqrt(sum);
            floats.set(layout.get(at + 7) + j, Stored.at(floats, words, scalars, layout, at + 14, j) * inverse);
            floats.set(layout.get(at + 8) + j, inverse);
        }
    }
}
