package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.NR;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;
import static io.github.rankine.engine.kernels.PanelKernel.GROUP;

import jdk.incubator.vector.FloatVector;

/**
 * Brings operands into the order in which {@link PanelKernel} reads them. What a group or panel has beyond the operand's edge is
 * undefined: it only meets elements of a tile that nobody reads. One worker's memory.
 */
final class PanelPacking {
    /** Steps of the inner dimension that are unpacked at a time: LANES rows of them stay in the first-level cache. */
    private static final int DEPTH = 256;
    /** Distance of unpacked rows: not a power of two, lest all fall into the same cache sets. */
    private static final int STRIDE = DEPTH + 16;
    /** Rows of a left operand that are packed in one go where they lie in the columns of what is read. */
    static final int COLUMNS = 4 * GROUP;

    private final float[] rows = new float[Math.max(LANES * STRIDE, DEPTH * COLUMNS + LANES)];
    private final Transposition transposition = new Transposition();

    /** A group of a left operand {@code a[m, k]}: {@code out[d, GROUP]} from {@code count} rows at {@code row}. */
    void group(Operand a, long row, int count, long k, int depth, float[] out, int at) {
        transpose(a, row, count, k, depth, out, at, GROUP);
    }

    /** Groups of a left operand {@code aᵀ[k, m]}, {@code size} elements apart, from {@code count} columns at {@code col}, at most COLUMNS. */
    void groupsOfColumns(Operand a, long k, int depth, long col, int count, float[] out, int at, int size) {
        for (int d = 0; d < depth; d += DEPTH) {
            int height = Math.min(DEPTH, depth - d);
            for (int i = 0; i < height; i++) {
                a.read(k + d + i, col, rows, i * COLUMNS, count);
            }
            for (int first = 0; first < count; first += GROUP) {
                copy(rows, first, COLUMNS, height, out, at + first / GROUP * size + d * GROUP);
            }
        }
    }

    private static void copy(float[] in, int from, int stride, int count, float[] out, int to) {
        for (int i = 0; i < count; i++) {
            FloatVector.fromArray(SPECIES, in, from + i * stride).intoArray(out, to + i * GROUP);
        }
    }

    /** A panel of a right operand {@code bᵀ[n, k]}: {@code out[d, NR]} from {@code count} rows at {@code row}. */
    void panel(Operand b, long row, int count, long k, int depth, float[] out, int at) {
        for (int r = 0; r < count; r += LANES) {
            transpose(b, row + r, Math.min(LANES, count - r), k, depth, out, at + r, NR);
        }
    }

    /**
     * {@code out[d, LANES]} from {@code count} rows, {@code stride} apart: read where they lie if a vector's lanes are that many rows of a
     * type that takes no more than a move to unpack.
     */
    private void transpose(Operand x, long row, int count, long k, int depth, float[] out, int at, int stride) {
        if (x instanceof Operand.Dense dense && Transposition.reads(dense.type()) && row + LANES <= dense.rows()) {
            long index = row * dense.stride() + k;
            transposition.run(dense.type(), dense.data(), index, dense.stride(), depth, out, at, stride);
            return;
        }
        for (int d = 0; d < depth; d += DEPTH) {
            int width = Math.min(DEPTH, depth - d);
            for (int i = 0; i < count; i++) {
                x.read(row + i, k + d, rows, i * STRIDE, width);
            }
            transposition.run(rows, 0, STRIDE, width, out, at + d * stride, stride);
        }
    }

    /** A panel of a right operand {@code b[k, n]}: {@code out[d, NR]} from {@code count} columns at {@code col}. */
    static void panelOfColumns(Operand b, long k, int depth, long col, int count, float[] out, int at) {
        if (count == NR) {
            b.readPanel(k, depth, col, out, at);
            return;
        }
        for (int d = 0; d < depth; d++) {
            b.read(k + d, col, out, at + d * NR, count);
        }
    }
}
