package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.NR;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * {@code c = aᵀ · b} over many rows where {@code a} or {@code b} has few columns, as the gradients of LoRA's matrices have. A task reads the
 * rows of a stretch once, in order and where they lie, and keeps the sum of what they give to itself; the tasks' sums are added up in
 * their order. There are few stretches, so that few sums exist, however many rows there are.
 */
final class ThinGradient {
    /** The most columns that count as few. */
    static final int MAX_COLUMNS = 64;

    /** Columns of the wide operand that are summed at a time, as a head's are many. */
    private static final int MAX_WIDTH = 1 << 13;
    /** The most stretches. */
    private static final int STRETCHES = 8;
    /** The least rows of a stretch. */
    private static final int MIN_ROWS = 64;
    /** Rows that are read at a time: they stay in the caches while every few columns of the thin operand meet them. */
    private static final int BLOCK = 16;
    /** Columns of the thin operand that meet a block at a time. */
    private static final int STEP = 4;

    private final Workers workers;
    private final float[][] thin;
    private float[] sums = new float[0];

    ThinGradient(Workers workers) {
        this.workers = workers;
        thin = new float[workers.count()][BLOCK * MAX_COLUMNS];
    }

    /** {@code c[m, n] (+)= alpha · a[k, m]ᵀ · b[k, n]}. */
    void multiply(Tensor a, Tensor b, Tensor c, float alpha, boolean accumulate) {
        boolean thinRows = a.cols() <= b.cols();
        Tensor narrow = thinRows ? a : b;
        Tensor wide = thinRows ? b : a;
        if (wide.cols() <= MAX_WIDTH) {
            multiply(narrow, wide, c, thinRows, alpha, accumulate);
            return;
        }
        for (long col = 0; col < wide.cols(); col += MAX_WIDTH) {
            long cols = Math.min(MAX_WIDTH, wide.cols() - col);
            Tensor part = thinRows ? c.cols(col, cols) : c.rows(col, cols);
            multiply(narrow, wide.cols(col, cols), part, thinRows, alpha, accumulate);
        }
    }

    private void multiply(Tensor narrow, Tensor wide, Tensor c, boolean thinRows, float alpha, boolean accumulate) {
        long k = narrow.rows();
        int count = Math.ceilDiv((int) narrow.cols(), STEP) * STEP;
        int width = Math.ceilDiv(Math.toIntExact(wide.cols()), NR) * NR;
        int size = Math.multiplyExact(count, width);
        long stretch = Math.max(MIN_ROWS, Math.ceilDiv(k, (long) STRETCHES));
        int stretches = (int) Math.ceilDiv(k, stretch);
        if (sums.length < Math.multiplyExact(stretches, size)) {
            sums = new float[stretches * size];
        }
        workers.run(stretches, (task, worker) -> {
            Arrays.fill(sums, task * size, (task + 1) * size, 0f);
            long end = Math.min(k, (task + 1) * stretch);
            for (long row = task * stretch; row < end; row += BLOCK) {
                int rows = (int) Math.min(BLOCK, end - row);
                add(narrow, wide, row, rows, count, thin[worker], task * size, width);
            }
        });
        Pieces.columns(workers, width, NR, (col, cols, _) -> {
            for (int i = 0; i < count; i++) {
                for (int task = 1; task < stretches; task++) {
                    addVectors(sums, task * size + i * width + col, i * width + col);
                }
            }
        });
        write(c, thinRows, (int) narrow.cols(), width, alpha, accumulate);
    }

    /** Adds what a block of rows gives. */
    private void add(Tensor narrow, Tensor wide, long row, int rows, int count, float[] packed, int sumAt, int width) {
        for (int i = 0; i < rows; i++) {
            int present = (int) narrow.cols();
            KeyLayout.read(narrow, row + i, 0, present, packed, i * count);
            Arrays.fill(packed, i * count + present, (i + 1) * count, 0f);
        }
        MemorySegment data = wide.segment();
        int whole = (int) (wide.cols() / NR) * NR;
        for (int col = 0; col < whole; col += NR) {
            for (int j = 0; j < count; j += STEP) {
                tile(
                        packed,
                        j,
                        count,
                        data,
                        wide.offset(row, col),
                        4 * wide.stride(),
                        rows,
                        sums,
                        sumAt + j * width + col,
                        width);
            }
        }
        for (int i = 0; whole < wide.cols() && i < rows; i++) {
            for (int col = whole; col < wide.cols(); col++) {
                float x = wide.get(row + i, col);
                for (int j = 0; j < count; j++) {
                    int at = sumAt + j * width + col;
                    sums[at] = Math.fma(packed[i * count + j], x, sums[at]);
                }
            }
        }
    }

    /** {@code sums[STEP, NR] += thin[rows, STEP]ᵀ · data[rows, NR]}. */
    private static void tile(
            float[] thin,
            int thinAt,
            int thinStride,
            MemorySegment data,
            long at,
            long stride,
            int rows,
            float[] sums,
            int sumAt,
            int width) {
        FloatVector c00 = FloatVector.fromArray(SPECIES, sums, sumAt);
        FloatVector c01 = FloatVector.fromArray(SPECIES, sums, sumAt + LANES);
        FloatVector c10 = FloatVector.fromArray(SPECIES, sums, sumAt + width);
        FloatVector c11 = FloatVector.fromArray(SPECIES, sums, sumAt + width + LANES);
        FloatVector c20 = FloatVector.fromArray(SPECIES, sums, sumAt + 2 * width);
        FloatVector c21 = FloatVector.fromArray(SPECIES, sums, sumAt + 2 * width + LANES);
        FloatVector c30 = FloatVector.fromArray(SPECIES, sums, sumAt + 3 * width);
        FloatVector c31 = FloatVector.fromArray(SPECIES, sums, sumAt + 3 * width + LANES);
        for (int i = 0; i < rows; i++) {
            FloatVector b0 = Elements.load(data, at + i * stride);
            FloatVector b1 = Elements.load(data, at + i * stride + 4L * LANES);
            int k = thinAt + i * thinStride;
            FloatVector x = FloatVector.broadcast(SPECIES, thin[k]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            x = FloatVector.broadcast(SPECIES, thin[k + 1]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            x = FloatVector.broadcast(SPECIES, thin[k + 2]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            x = FloatVector.broadcast(SPECIES, thin[k + 3]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
        }
        c00.intoArray(sums, sumAt);
        c01.intoArray(sums, sumAt + LANES);
        c10.intoArray(sums, sumAt + width);
        c11.intoArray(sums, sumAt + width + LANES);
        c20.intoArray(sums, sumAt + 2 * width);
        c21.intoArray(sums, sumAt + 2 * width + LANES);
        c30.intoArray(sums, sumAt + 3 * width);
        c31.intoArray(sums, sumAt + 3 * width + LANES);
    }

    private static void addVectors(float[] sums, int from, int to) {
        FloatVector.fromArray(SPECIES, sums, to)
                .add(FloatVector.fromArray(SPECIES, sums, from))
                .intoArray(sums, to);
        FloatVector.fromArray(SPECIES, sums, to + LANES)
                .add(FloatVector.fromArray(SPECIES, sums, from + LANES))
                .intoArray(sums, to + LANES);
    }

    private void write(Tensor c, boolean thinRows, int count, int width, float alpha, boolean accumulate) {
        if (thinRows) {
            for (int i = 0; i < count; i++) {
                Elements.writeRow(sums, i * width, (int) c.cols(), c.segment(), c.offset(i, 0), alpha, accumulate);
            }
            return;
        }
        float[] row = thin[0];
        for (int col = 0; col < c.rows(); col++) {
            for (int i = 0; i < count; i++) {
                row[i] = sums[i * width + col];
            }
            Elements.writeRow(row, 0, count, c.segment(), c.offset(col, 0), alpha, accumulate);
        }
    }
}
