package io.github.rankine.engine.kernels;

import io.github.rankine.engine.tensor.Tensor;

/** Cuts element-wise and row-wise work into tasks whose sizes depend on the shapes alone. */
final class Pieces {
    /** Elements of a task: much longer than its hand-over, short enough to balance the threads. */
    private static final int ELEMENTS = 1 << 14;

    /** Work on {@code count} elements of one row. */
    @FunctionalInterface
    interface Stretch {
        void run(long row, long col, int count, int worker);
    }

    /** Work on the rows from {@code first} up to {@code end}. */
    @FunctionalInterface
    interface Rows {
        void run(int first, int end, int worker);
    }

    /** Work on {@code count} columns from {@code first}. */
    @FunctionalInterface
    interface Columns {
        void run(int first, int count, int worker);
    }

    private Pieces() {}

    /** Every element of tensors of one shape, once; tensors without gaps are taken as one long row. */
    static void elements(Workers workers, Stretch work, Tensor... tensors) {
        boolean contiguous = true;
        for (Tensor tensor : tensors) {
            contiguous &= tensor.isContiguous();
        }
        long rows = contiguous ? 1 : tensors[0].rows();
        long cols = contiguous ? tensors[0].size() : tensors[0].cols();
        if (rows == 0 || cols == 0) {
            return;
        }
        long parts = (cols + ELEMENTS - 1) / ELEMENTS;
        long rowsPerTask = Math.max(1, ELEMENTS / cols);
        long tasks = (rows + rowsPerTask - 1) / rowsPerTask * parts;
        workers.run(Math.toIntExact(tasks), (task, worker) -> {
            long col = task % parts * ELEMENTS;
            long first = task / parts * rowsPerTask;
            int count = (int) Math.min(ELEMENTS, cols - col);
            for (long row = first; row < Math.min(rows, first + rowsPerTask); row++) {
                work.run(row, col, count, worker);
            }
        });
    }

    /** Blocks of whole rows, {@code width} elements of work in each row. */
    static void rows(Workers workers, long rows, long width, Rows work) {
        int count = Math.toIntExact(rows);
        int block = (int) Math.max(1, ELEMENTS / Math.max(1, width));
        workers.run((count + block - 1) / block, (task, worker) -> {
            int first = task * block;
            work.run(first, Math.min(count, first + block), worker);
        });
    }

    /** Blocks of {@code block} columns, for what is summed over the rows in their order. */
    static void columns(Workers workers, long cols, int block, Columns work) {
        int count = Math.toIntExact(cols);
        workers.run((count + block - 1) / block, (task, worker) -> {
            int first = task * block;
            work.run(first, Math.min(block, count - first), worker);
        });
    }
}
