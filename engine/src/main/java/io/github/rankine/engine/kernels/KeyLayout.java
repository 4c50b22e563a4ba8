package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.KC;
import static io.github.rankine.engine.kernels.MicroKernel.LDA;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Tensor;

/**
 * How one head's keys (or values) of one sequence lie on the heap as the micro-kernel's left operand, in blocks of KC keys: as rows,
 * {@code [keys, headDim]}, where blocks share their rows' KC columns, and transposed, {@code [headDim, keys]} a block.
 *
 * @param keys    of the sequence
 * @param headDim features of the head, at most KC
 */
record KeyLayout(int keys, int headDim) {
    int blocks() {
        return (keys + KC - 1) / KC;
    }

    int blockKeys(int block) {
        return Math.min(KC, keys - block * KC);
    }

    int rowsSize() {
        int sideBySide = KC / headDim;
        return (blocks() + sideBySide - 1) / sideBySide * Math.min(keys, KC) * LDA;
    }

    /** Where a block's rows begin. */
    int rowsAt(int block) {
        int sideBySide = KC / headDim;
        return block / sideBySide * Math.min(keys, KC) * LDA + block % sideBySide * headDim;
    }

    int transposedSize() {
        return blocks() * headDim * LDA;
    }

    int transposedAt(int block) {
        return block * headDim * LDA;
    }

    /** Packs a block of {@code head} as rows; the sequence begins at token {@code keyStart}. */
    void packRows(HeadRows x, long keyStart, int head, int block, float[] out, int offset) {
        x.read(keyStart + (long) block * KC, blockKeys(block), head, out, offset + rowsAt(block), LDA);
    }

    /** Packs a block transposed; {@code scratch} holds a few rows. */
    void packTransposed(
            HeadRows x,
            long keyStart,
            int head,
            int block,
            float[] out,
            int offset,
            float[] scratch,
            Transposition transposition) {
        int at = offset + transposedAt(block);
        int count = blockKeys(block);
        int step = scratch.length / headDim;
        for (int first = 0; first < count; first += step) {
            int rows = Math.min(step, count - first);
            x.read(keyStart + (long) block * KC + first, rows, head, scratch, 0, headDim);
            transposition.run(scratch, 0, headDim, rows, headDim, out, at + first, LDA);
        }
    }

    static void read(Tensor x, long row, long col, int count, float[] out, int offset) {
        Unpack.row(DType.F32, x.segment(), row * x.stride() + col, out, offset, count);
    }
}
