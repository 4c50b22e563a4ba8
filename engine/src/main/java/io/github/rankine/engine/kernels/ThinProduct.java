package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.NR;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * {@code c = a · b} with so few columns of {@code c}, as LoRA's rank is, that a tile of {@link MicroKernel} would be mostly padding: dot products
 * instead, a few rows of {@code a}, read where they lie, with four columns of {@code b} at a time, lanes along the inner dimension.
 */
final class ThinProduct {
    /** The most columns that count as few. */
    static final int MAX_COLUMNS = NR / 2;

    /** Rows of {@code a} that a task multiplies, whole tiles. */
    private static final int ROWS = 32;
    /** Columns of a tile. */
    private static final int STEP = 4;
    /** Rows of a tile: one sum of a product's lanes for each lane of a vector, and no more vectors than there are registers. */
    private static final int TILE_ROWS = LANES >= 16 ? 4 : 2;

    private final Workers workers;
    private final Memory[] memories;
    private float[] columns = new float[0];

    ThinProduct(Workers workers) {
        this.workers = workers;
        memories = new Memory[workers.count()];
        for (int worker = 0; worker < memories.length; worker++) {
            memories[worker] = new Memory();
        }
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
        workers.run(Math.toIntExact((a.rows() + ROWS - 1) / ROWS), (task, worker) -> {
            Memory memory = memories[worker];
            long end = Math.min(a.rows(), (task + 1L) * ROWS);
            for (long row = (long) task * ROWS; row < end; row += TILE_ROWS) {
                int count = (int) Math.min(TILE_ROWS, end - row);
                memory.tiles(a, row, count, columns, n, stride);
                for (int i = 0; i < count; i++) {
                    Elements.writeRow(
                            memory.out, i * MAX_COLUMNS, n, c.segment(), c.offset(row + i, 0), alpha, accumulate);
                }
            }
        });
    }

    /** The columns of {@code b}, each contiguous and filled up with zeros, and as many columns of zeros as complete the last tile. */
    private void unpack(Operand b, boolean transposeB, int n, int k, int stride) {
        int padded = (n + STEP - 1) / STEP * STEP;
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
        float[] row = memories[0].out;
        for (int d = 0; d < k; d++) {
            b.read(d, 0, row, 0, n);
            for (int j = 0; j < n; j++) {
                columns[j * stride + d] = row[j];
            }
        }
    }

    /** One worker's memory. */
    private static final class Memory {
        final float[] out = new float[TILE_ROWS * MAX_COLUMNS];
        private final float[] sums = new float[Math.max(TILE_ROWS * STEP, LANES) * LANES];
        private final float[] totals = new float[Math.max(TILE_ROWS * STEP, LANES)];
        /** What rows have after their whole vectors, filled up with zeros. */
        private final float[] tails = new float[TILE_ROWS * LANES];
        /** Where rows begin, in bytes. */
        private final long[] at = new long[TILE_ROWS];

        /** {@code out[count, n] = a[row …] · columns}. */
        void tiles(Tensor a, long row, int count, float[] columns, int n, int stride) {
            int whole = (int) (a.cols() / LANES * LANES);
            int rest = (int) a.cols() - whole;
            for (int i = 0; i < TILE_ROWS; i++) {
                // A row that is not there is the last one again.
                long present = row + Math.min(i, count - 1);
                at[i] = a.offset(present, 0);
                KeyLayout.read(a, present, whole, rest, tails, i * LANES);
                Arrays.fill(tails, i * LANES + rest, (i + 1) * LANES, 0f);
            }
            MemorySegment data = a.segment();
            for (int j = 0; j < n; j += STEP) {
                if (TILE_ROWS == 4) {
                    tile4(data, at[0], at[1], at[2], at[3], columns, j * stride, stride, whole, sums);
                } else {
                    tile2(data, at[0], at[1], columns, j * stride, stride, whole, sums);
                }
                if (rest > 0) {
                    addTails(columns, j * stride + whole, stride);
                }
                for (int i = 0; i < TILE_ROWS * STEP; i += LANES) {
                    VectorMath.sums(sums, i * LANES, totals, i);
                }
                for (int i = 0; i < count; i++) {
                    System.arraycopy(totals, i * STEP, out, i * MAX_COLUMNS + j, STEP);
                }
            }
        }

        private void addTails(float[] columns, int at, int stride) {
            for (int i = 0; i < TILE_ROWS; i++) {
                FloatVector x = FloatVector.fromArray(SPECIES, tails, i * LANES);
                for (int j = 0; j < STEP; j++) {
                    int sum = (i * STEP + j) * LANES;
                    x.fma(
                                    FloatVector.fromArray(SPECIES, columns, at + j * stride),
                                    FloatVector.fromArray(SPECIES, sums, sum))
                            .intoArray(sums, sum);
                }
            }
        }
    }

    /** The lanes of the products of four rows and four columns, rows first. */
    private static void tile4(
            MemorySegment data,
            long a0,
            long a1,
            long a2,
            long a3,
            float[] b,
            int at,
            int stride,
            int whole,
            float[] sums) {
        FloatVector c00 = FloatVector.zero(SPECIES), c01 = c00, c02 = c00, c03 = c00;
        FloatVector c10 = c00, c11 = c00, c12 = c00, c13 = c00;
        FloatVector c20 = c00, c21 = c00, c22 = c00, c23 = c00;
        FloatVector c30 = c00, c31 = c00, c32 = c00, c33 = c00;
        for (int k = 0; k < whole; k += LANES) {
            FloatVector x0 = Elements.load(data, a0 + 4L * k);
            FloatVector x1 = Elements.load(data, a1 + 4L * k);
            FloatVector x2 = Elements.load(data, a2 + 4L * k);
            FloatVector x3 = Elements.load(data, a3 + 4L * k);
            FloatVector y = FloatVector.fromArray(SPECIES, b, at + k);
            c00 = x0.fma(y, c00);
            c10 = x1.fma(y, c10);
            c20 = x2.fma(y, c20);
            c30 = x3.fma(y, c30);
            y = FloatVector.fromArray(SPECIES, b, at + stride + k);
            c01 = x0.fma(y, c01);
            c11 = x1.fma(y, c11);
            c21 = x2.fma(y, c21);
            c31 = x3.fma(y, c31);
            y = FloatVector.fromArray(SPECIES, b, at + 2 * stride + k);
            c02 = x0.fma(y, c02);
            c12 = x1.fma(y, c12);
            c22 = x2.fma(y, c22);
            c32 = x3.fma(y, c32);
            y = FloatVector.fromArray(SPECIES, b, at + 3 * stride + k);
            c03 = x0.fma(y, c03);
            c13 = x1.fma(y, c13);
            c23 = x2.fma(y, c23);
            c33 = x3.fma(y, c33);
        }
        c00.intoArray(sums, 0);
        c01.intoArray(sums, LANES);
        c02.intoArray(sums, 2 * LANES);
        c03.intoArray(sums, 3 * LANES);
        c10.intoArray(sums, 4 * LANES);
        c11.intoArray(sums, 5 * LANES);
        c12.intoArray(sums, 6 * LANES);
        c13.intoArray(sums, 7 * LANES);
        c20.intoArray(sums, 8 * LANES);
        c21.intoArray(sums, 9 * LANES);
        c22.intoArray(sums, 10 * LANES);
        c23.intoArray(sums, 11 * LANES);
        c30.intoArray(sums, 12 * LANES);
        c31.intoArray(sums, 13 * LANES);
        c32.intoArray(sums, 14 * LANES);
        c33.intoArray(sums, 15 * LANES);
    }

    /** The lanes of the products of two rows and four columns, rows first. */
    private static void tile2(
            MemorySegment data, long a0, long a1, float[] b, int at, int stride, int whole, float[] sums) {
        FloatVector c00 = FloatVector.zero(SPECIES), c01 = c00, c02 = c00, c03 = c00;
        FloatVector c10 = c00, c11 = c00, c12 = c00, c13 = c00;
        for (int k = 0; k < whole; k += LANES) {
            FloatVector x0 = Elements.load(data, a0 + 4L * k);
            FloatVector x1 = Elements.load(data, a1 + 4L * k);
            FloatVector y = FloatVector.fromArray(SPECIES, b, at + k);
            c00 = x0.fma(y, c00);
            c10 = x1.fma(y, c10);
            y = FloatVector.fromArray(SPECIES, b, at + stride + k);
            c01 = x0.fma(y, c01);
            c11 = x1.fma(y, c11);
            y = FloatVector.fromArray(SPECIES, b, at + 2 * stride + k);
            c02 = x0.fma(y, c02);
            c12 = x1.fma(y, c12);
            y = FloatVector.fromArray(SPECIES, b, at + 3 * stride + k);
            c03 = x0.fma(y, c03);
            c13 = x1.fma(y, c13);
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
