package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/** Sums over all rows, as gradients of biases and of normalisation weights are: a task owns a few columns. */
final class ColumnSums {
    private static final int COLUMNS = 8 * LANES;
    /** Rows that are summed on their own first, for the error of a sum grows with its length. */
    private static final int ROWS = 128;

    /** What one row adds. */
    @FunctionalInterface
    interface Addend {
        /** {@code sum[from + i] += value(row, col + i)} for {@code i} below {@code count}. */
        void addTo(float[] sum, int from, long row, int col, int count);
    }

    private final Workers workers;
    private final float[][] sums;

    ColumnSums(Workers workers) {
        this.workers = workers;
        sums = new float[workers.count()][2 * COLUMNS];
    }

    /** {@code out[1, d] += Σ_rows}. */
    void add(long rows, Tensor out, Addend addend) {
        Pieces.columns(workers, out.cols(), COLUMNS, (col, count, worker) -> {
            float[] sum = sums[worker];
            Arrays.fill(sum, 0f);
            for (long first = 0; first < rows; first += ROWS) {
                for (long row = first; row < Math.min(rows, first + ROWS); row++) {
                    addend.addTo(sum, COLUMNS, row, col, count);
                }
                for (int i = 0; i < COLUMNS; i++) {
                    sum[i] += sum[COLUMNS + i];
                    sum[COLUMNS + i] = 0f;
                }
            }
            Elements.writeRow(sum, 0, count, out.segment(), out.offset(0, col), 1f, true);
        });
    }

    /** {@code sum += x}. */
    static void addRow(float[] sum, int from, MemorySegment x, long at, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector.fromArray(SPECIES, sum, from + i)
                    .add(Elements.load(x, at + 4L * i))
                    .intoArray(sum, from + i);
        }
        for (; i < count; i++) {
            sum[from + i] += Elements.get(x, at + 4L * i);
        }
    }

    /** {@code sum += dy · (x − mean) · factor}. */
    static void addNormalised(
            float[] sum,
            int from,
            MemorySegment x,
            long xAt,
            float mean,
            float factor,
            MemorySegment dy,
            long dyAt,
            int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector normal = Elements.load(x, xAt + 4L * i).sub(mean).mul(factor);
            Elements.load(dy, dyAt + 4L * i)
                    .fma(normal, FloatVector.fromArray(SPECIES, sum, from + i))
                    .intoArray(sum, from + i);
        }
        for (; i < count; i++) {
            float normal = (Elements.get(x, xAt + 4L * i) - mean) * factor;
            sum[from + i] = Math.fma(Elements.get(dy, dyAt + 4L * i), normal, sum[from + i]);
        }
    }
}
