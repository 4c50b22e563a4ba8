package io.github.rankine.engine.kernels;

import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.MemorySegment;

/** Rows picked by index: embedding tables, and the positions whose logits are wanted. */
final class RowSelection {
    private static final int COLUMNS = 256;

    private final Workers workers;
    private final float[][] scratch;

    RowSelection(Workers workers) {
        this.workers = workers;
        scratch = new float[workers.count()][0];
    }

    void embedding(int[] ids, Weight table, Tensor y, boolean accumulate) {
        int cols = Math.toIntExact(table.cols());
        Operand rows = Operand.of(table);
        Pieces.rows(workers, ids.length, cols, (first, end, worker) -> {
            if (scratch[worker].length < cols) {
                scratch[worker] = new float[cols];
            }
            float[] row = scratch[worker];
            for (int i = first; i < end; i++) {
                rows.read(ids[i], 0, row, 0, cols);
                Elements.writeRow(row, 0, cols, y.segment(), y.offset(i, 0), 1f, accumulate);
            }
        });
    }

    /** An id may come more than once, so a task owns columns, not rows. */
    void embeddingBackward(int[] ids, Tensor dy, Tensor dTable) {
        Pieces.columns(workers, dy.cols(), COLUMNS, (col, count, worker) -> {
            for (int i = 0; i < ids.length; i++) {
                Pointwise.add(dy.segment(), dy.offset(i, col), dTable.segment(), dTable.offset(ids[i], col), count);
            }
        });
    }

    void gather(Tensor x, int[] rows, Tensor y) {
        long bytes = 4 * x.cols();
        Pieces.rows(workers, rows.length, x.cols(), (first, end, worker) -> {
            for (int i = first; i < end; i++) {
                MemorySegment.copy(x.segment(), x.offset(rows[i], 0), y.segment(), y.offset(i, 0), bytes);
            }
        });
    }

    void gatherBackward(int[] rows, Tensor dy, Tensor dx, boolean accumulate) {
        int cols = Math.toIntExact(dx.cols());
        if (!accumulate) {
            Pieces.rows(workers, dx.rows(), cols, (first, end, worker) -> {
                for (int i = first; i < end; i++) {
                    dx.segment().asSlice(dx.offset(i, 0), 4L * cols).fill((byte) 0);
                }
            });
        }
        Pieces.rows(workers, rows.length, cols, (first, end, worker) -> {
            for (int i = first; i < end; i++) {
                Pointwise.add(dy.segment(), dy.offset(i, 0), dx.segment(), dx.offset(rows[i], 0), cols);
            }
        });
    }
}
