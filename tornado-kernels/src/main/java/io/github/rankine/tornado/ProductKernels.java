package io.github.rankine.tornado;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** Products of a tensor with a weight or a tensor: in blocks of local memory, or for few rows by dots. */
final class ProductKernels {
    /** Rows and columns of a block of the result, and how far it goes along the sum at a time. */
    static final int BLOCK = 32;

    private static final int DEPTH = 16;

    /** Rows of a product that are too few for a block. */
    static final int FEW = 4;

    /** Threads of a group along each side of the block; each has four by four results. */
    static final int SIDE = 8;

    private ProductKernels() {}

    /**
     * {@code c[m, n] (+)= alpha · a · b} for any orientation: an element of {@code a} is {@code (i, l)}, of {@code b} {@code (l, j)}.
     *
     * <p>Parameters: m, n, k, a's offset and steps along i and l, b's steps along l and j, b as a weight, c's offset and stride, alpha's
     * place among the scalars, whether to accumulate.
     */
    static void matmul(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray words,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int m = layout.get(at);
        int n = layout.get(at + 1);
        int k = layout.get(at + 2);
        int aBase = layout.get(at + 3);
        int aRow = layout.get(at + 4);
        int aCol = layout.get(at + 5);
        int bRow = layout.get(at + 6);
        int bCol = layout.get(at + 7);
        int weight = at + 8;
        int cBase = layout.get(at + 12);
        int cStride = layout.get(at + 13);
        float alpha = scalars.get(layout.get(at + 14));
        int accumulate = layout.get(at + 15);

        float[] left = context.allocateFloatLocalArray(BLOCK * DEPTH);
        float[] right = context.allocateFloatLocalArray(BLOCK * DEPTH);
        int blocks = (n + BLOCK - 1) / BLOCK;
        int firstRow = context.groupIdx / blocks * BLOCK;
        int firstCol = context.groupIdx % blocks * BLOCK;
        int thread = context.localIdx;
        int row = thread / SIDE * 4;
        int col = thread % SIDE * 4;
        float s00 = 0;
        float s01 = 0;
        float s02 = 0;
        float s03 = 0;
        float s10 = 0;
        float s11 = 0;
        float s12 = 0;
        float s13 = 0;
        float s20 = 0;
        float s21 = 0;
        float s22 = 0;
        float s23 = 0;
        float s30 = 0;
        float s31 = 0;
        float s32 = 0;
        float s33 = 0;
        for (int first = 0; first < k; first += DEPTH) {
            for (int e = thread; e < BLOCK * DEPTH; e += SIDE * SIDE) {
                // Neighbouring threads read neighbouring elements, whichever way the operand lies.
                int i = aCol == 1 ? e / DEPTH : e % BLOCK;
                int l = aCol == 1 ? e % DEPTH : e / BLOCK;
                float value = 0;
                if (firstRow + i < m && first + l < k) {
                    value = floats.get(aBase + (firstRow + i) * aRow + (first + l) * aCol);
                }
                left[l * BLOCK + i] = value;
                int j = bRow == 1 ? e / DEPTH : e % BLOCK;
                l = bRow == 1 ? e % DEPTH : e / BLOCK;
                value = 0;
                if (firstCol + j < n && first + l < k) {
                    value = Stored.at(
                            floats, words, scalars, layout, weight, (first + l) * bRow + (firstCol + j) * bCol);
                }
                right[l * BLOCK + j] = value;
            }
            context.localBarrier();
            for (int l = 0; l < DEPTH; l++) {
                float a0 = left[l * BLOCK + row];
                float a1 = left[l * BLOCK + row + 1];
                float a2 = left[l * BLOCK + row + 2];
                float a3 = left[l * BLOCK + row + 3];
                float b0 = right[l * BLOCK + col];
                float b1 = right[l * BLOCK + col + 1];
                float b2 = right[l * BLOCK + col + 2];
                float b3 = right[l * BLOCK + col + 3];
                // What lies beyond k is not summed: zero times an infinite weight is none.
                if (first + l < k) {
                    s00 += a0 * b0;
                    s01 += a0 * b1;
                    s02 += a0 * b2;
                    s03 += a0 * b3;
                    s10 += a1 * b0;
                    s11 += a1 * b1;
                    s12 += a1 * b2;
                    s13 += a1 * b3;
                    s20 += a2 * b0;
                    s21 += a2 * b1;
                    s22 += a2 * b2;
                    s23 += a2 * b3;
                    s30 += a3 * b0;
                    s31 += a3 * b1;
                    s32 += a3 * b2;
                    s33 += a3 * b3;
                }
            }
            context.localBarrier();
        }
        int i = firstRow + row;
        int j = firstCol + col;
        int place = cBase + i * cStride + j;
        put(floats, place, i, j, m, n, alpha * s00, accumulate);
        put(floats, place + 1, i, j + 1, m, n, alpha * s01, accumulate);
        put(floats, place + 2, i, j + 2, m, n, alpha * s02, accumulate);
        put(floats, place + 3, i, j + 3, m, n, alpha * s03, accumulate);
        place += cStride;
        put(floats, place, i + 1, j, m, n, alpha * s10, accumulate);
        put(floats, place + 1, i + 1, j + 1, m, n, alpha * s11, accumulate);
        put(floats, place + 2, i + 1, j + 2, m, n, alpha * s12, accumulate);
        put(floats, place + 3, i + 1, j + 3, m, n, alpha * s13, accumulate);
        place += cStride;
        put(floats, place, i + 2, j, m, n, alpha * s20, accumulate);
        put(floats, place + 1, i + 2, j + 1, m, n, alpha * s21, accumulate);
        put(floats, place + 2, i + 2, j + 2, m, n, alpha * s22, accumulate);
        put(floats, place + 3, i + 2, j + 3, m, n, alpha * s23, accumulate);
        place += cStride;
        put(floats, place, i + 3, j, m, n, alpha * s30, accumulate);
        put(floats, place + 1, i + 3, j + 1, m, n, alpha * s31, accumulate);
        put(floats, place + 2, i + 3, j + 2, m, n, alpha * s32, accumulate);
        put(floats, place + 3, i + 3, j + 3, m, n, alpha * s33, accumulate);
    }

    /**
     * The same for the few rows of a token's decoding and a weight whose rows are summed along: a group for each element of {@code c}, whose threads
     * read neighbours.
     */
    static void dots(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray words,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int n = layout.get(at + 1);
        int k = layout.get(at + 2);
        int i = context.groupIdx / n;
        int j = context.groupIdx % n;
        int a = layout.get(at + 3) + i * layout.get(at + 4);
        int b = j * layout.get(at + 7);
        float part = 0;
        for (int l = context.localIdx; l < k; l += Reduction.GROUP) {
            part += floats.get(a + l) * Stored.at(floats, words, scalars, layout, at + 8, b + l);
        }
        float sum = Reduction.sum(context, part);
        if (context.localIdx == 0) {
            int place = layout.get(at + 12) + i * layout.get(at + 13) + j;
            float value = scalars.get(layout.get(at + 14)) * sum;
            if (layout.get(at + 15) == 1) {
                value += floats.get(place);
            }
            floats.set(place, value);
        }
    }

    private static void put(FloatArray c, int place, int i, int j, int m, int n, float value, int accumulate) {
        if (i < m && j < n) {
            if (accumulate == 1) {
                c.set(place, c.get(place) + value);
            } else {
                c.set(place, value);
            }
        }
    }
}
