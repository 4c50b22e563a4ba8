package io.github.rankine.tornado;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** Rows by their number, a thread an element. Parameters begin with the numbers of elements and of columns and the place of the rows in the state. */
final class SelectionKernels {
    private SelectionKernels() {}

    /** {@code y[i] (+)= table[ids[i]]}; parameters: y, accumulate, the table as a weight. */
    static void embedding(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray words,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int i = context.globalIdx;
        if (i < layout.get(at)) {
            int cols = layout.get(at + 1);
            int row = state.get(layout.get(at + 2) + i / cols);
            float value = Stored.at(floats, words, scalars, layout, at + 6, row * cols + i % cols);
            int to = layout.get(at + 3) + i / cols * layout.get(at + 4) + i % cols;
            if (layout.get(at + 5) == 1) {
                value += floats.get(to);
            }
            floats.set(to, value);
        }
    }

    /** {@code y[i] = x[rows[i]]}; parameters: x, y. */
    static void gather(KernelContext context, IntArray state, IntArray layout, FloatArray floats, IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int i = context.globalIdx;
        if (i < layout.get(at)) {
            int cols = layout.get(at + 1);
            int row = state.get(layout.get(at + 2) + i / cols);
            float value = floats.get(layout.get(at + 3) + row * layout.get(at + 4) + i % cols);
            floats.set(layout.get(at + 5) + i / cols * layout.get(at + 6) + i % cols, value);
        }
    }

    /** {@code dx[rows[i]] += dy[i]} for distinct rows; parameters: dx, dy. */
    static void scatter(KernelContext context, IntArray state, IntArray layout, FloatArray floats, IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int i = context.globalIdx;
        if (i < layout.get(at)) {
            int cols = layout.get(at + 1);
            int row = state.get(layout.get(at + 2) + i / cols);
            int to = layout.get(at + 3) + row * layout.get(at + 4) + i % cols;
            floats.set(to, floats.get(to) + floats.get(layout.get(at + 5) + i / cols * layout.get(at + 6) + i % cols));
        }
    }
}
