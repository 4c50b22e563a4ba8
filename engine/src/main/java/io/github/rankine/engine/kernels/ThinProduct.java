package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.NR;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * {@code c = a · b} with so few columns of {@code c}, as LoRA's rank is, that a tile of {@link MicroKernel} would be mostly padding: dot products
 * instead, two rows of {@code a} with four columns of {@code b} at a time, lanes along the inner dimension.
 */
final class ThinProduct {
    /** The most columns that count as few. */
    static final int MAX_COLUMNS = NR / 2;

    /** Rows of {@code a} that a task multiplies. */
    private static final int ROWS = 32;

    private static final int TILE_COLUMNS = 4;

    private final Workers workers;
    private final float[][] rows;
    private final float[][] sums;
    private final float[][] outputs;
    private float[] columns = new float[0];

    ThinProduct(Workers workers) {
        this.workers = workers;
        rows = new float[workers.count()][0];
        sums = new float[workers.count()][2 * TILE_COLUMNS * LANES];
        outputs = new float[workers.count()][2 * MAX_COLUMNS];
    }

    /**
     * {@code c[m, n] (+)= alpha · a[m, k] · op(b)}.
     *
     * @param transposeB {@code b} is {@code [n, k]} instead of {@code [k, n]}
     */
    void multiply(Tensor a, Operand b, boolean transposeB, Tensor c, float alpha, boolean accumulate) {
        int k = Math.toIntExact(a.cols());
        int n = (int) c.cols();
        int stride = (k + LANES - 1) / LANES * LANES;
        unpack(b, transposeB, n, k, stride);
        float[] columns = this.columns;
        workers.run(Math.toIntExact((a.rows() + ROWS - 1) / ROWS), (task, worker) -> {
            if (rows[worker].length < 2 * stride) {
                rows[worker] = new float[2 * stride];
            }
            float[] pair = rows[worker];
            float[] out = outputs[worker];
            float[] lanes = sums[worker];
            long end = Math.min(a.rows(), (task + 1L) * ROWS);
            for (long row = (long) task * ROWS; row < end; row += 2) {
                int count = (int) Math.min(2, end - row);
                for (int i = 0; i < count; i++) {
                    KeyLayout.read(a, row + i, 0, k, pair, i * stride);
                    Arrays.fill(pair, i * stride + k, (i + 1) * stride, 0f);
                }
                for (int j = 0; j < n; j += TILE_COLUMNS) {
                    tile(pair, columns, j * stride, stride, lanes);
                    for (int i = 0; i < TILE_COLUMNS && j + i < n; i++) {
                        out[j + i] = sum(lanes, i * LANES);
                        out[MAX_COLUMNS + j + i] = sum(lanes, (TILE_COLUMNS + i) * LANES);
                    }
                }
                for (int i = 0; i < count; i++) {
                    Elements.writeRow(out, i * MAX_COLUMNS, n, c.segment(), c.offset(row + i, 0), alpha, accumulate);
                }
            }
        });
    }

    /** The columns of {@code b}, each contiguous and filled up with zeros, and as many columns of zeros as complete the last tile. */
    private void unpack(Operand b, boolean transposeB, int n, int k, int stride) {
        int padded = (n + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
        if (columns.length < padded * stride) {
            columns = new float[Math.multiplyExact(padded, stride)];
        }
        Arrays.fill(columns, 0, padded * stride, 0f);
        if (transposeB) {
            for (int j = 0; j < n; j++) {
                b.read(j, 0, columns, j * stride, k);
            }
            return;
        }
        float[] row = outputs[0];
        for (int d = 0; d < k; d++) {
            b.read(d, 0, row, 0, n);
            for (int j = 0; j < n; j++) {
                columns[j * stride + d] = row[j];
            }
        }
    }

    private static float sum(float[] sums, int at) {
        return VectorMath.sum(FloatVector.fromArray(SPECIES, sums, at));
    }

    private static void tile(float[] a, float[] b, int bo, int stride, float[] sums) {
        FloatVector c00 = FloatVector.zero(SPECIES), c01 = c00, c02 = c00, c03 = c00;
        FloatVector c10 = c00, c11 = c00, c12 = c00, c13 = c00;
        for (int k = 0; k < stride; k += LANES) {
            FloatVector a0 = FloatVector.fromArray(SPECIES, a, k);
            FloatVector a1 = FloatVector.fromArray(SPECIES, a, stride + k);
            FloatVector x = FloatVector.fromArray(SPECIES, b, bo + k);
            c00 = a0.fma(x, c00);
            c10 = a1.fma(x, c10);
            x = FloatVector.fromArray(SPECIES, b, bo + stride + k);
            c01 = a0.fma(x, c01);
            c11 = a1.fma(x, c11);
            x = FloatVector.fromArray(SPECIES, b, bo + 2 * stride + k);
            c02 = a0.fma(x, c02);
            c12 = a1.fma(x, c12);
            x = FloatVector.fromArray(SPECIES, b, bo + 3 * stride + k);
            c03 = a0.fma(x, c03);
            c13 = a1.fma(x, c13);
        }
        c00.intoArray(sums, 0);
        c01.intoArray(sums, LANES);
        c02.intoArray(sums, 2 * LANES);
        c03.intoArray(sums, 3 * LANES);
        c10.intoArray(sums, 4 * LANES);
        c11.intoArray(sums, 5 * LANES);
        c12.intoArray(sums, 6 * LANES);
        c13.intoArray(sums, 7 * LANES);
    }
}
