package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LDA;
import static io.github.rankine.engine.kernels.MicroKernel.NR;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Tensor;
import java.util.Arrays;

/**
 * Brings operands into the order in which {@link MicroKernel} reads them: {@code a} as rows {@code LDA} apart, {@code b} as panels
 * {@code [depth, NR]} whose missing columns are zero.
 */
final class Packing {
    private Packing() {}

    /** Rows {@code row …} and columns {@code k …} of {@code a}. */
    static void rows(Tensor a, long row, int rows, long k, int depth, float[] out) {
        for (int i = 0; i < rows; i++) {
            Unpack.row(DType.F32, a.segment(), (row + i) * a.stride() + k, out, i * LDA, depth);
        }
    }

    /** The same of {@code aᵀ}: {@code a} is {@code [k, rows]}. */
    static void rowsTransposed(Tensor a, long row, int rows, long k, int depth, float[] out, float[] scratch) {
        for (int d = 0; d < depth; d++) {
            Unpack.row(DType.F32, a.segment(), (k + d) * a.stride() + row, scratch, 0, rows);
            for (int i = 0; i < rows; i++) {
                out[i * LDA + d] = scratch[i];
            }
        }
    }

    /** A panel of {@code b[k, n]}: {@code width} columns from {@code col}. */
    static void panel(Operand b, long k, int depth, long col, int width, float[] out, int offset) {
        for (int d = 0; d < depth; d++) {
            b.read(k + d, col, out, offset + d * NR, width);
            if (width < NR) {
                Arrays.fill(out, offset + d * NR + width, offset + (d + 1) * NR, 0f);
            }
        }
    }

    /** A panel of {@code bᵀ}, {@code b[n, k]}: {@code width} rows from {@code row} become its columns. */
    static void panelTransposed(
            Operand b, long row, int width, long k, int depth, float[] out, int offset, float[] scratch) {
        for (int r = 0; r < width; r++) {
            b.read(row + r, k, scratch, r * LDA, depth);
        }
        transpose(scratch, 0, width, depth, out, offset);
    }

    /** {@code out[d, NR] = in[r, LDA]ᵀ}. */
    static void transpose(float[] in, int inOffset, int width, int depth, float[] out, int offset) {
        int d = 0;
        for (; d <= depth - 8; d += 8) {
            for (int r = 0; r < width; r++) {
                int from = inOffset + r * LDA + d;
                int to = offset + d * NR + r;
                out[to] = in[from];
                out[to + NR] = in[from + 1];
                out[to + 2 * NR] = in[from + 2];
                out[to + 3 * NR] = in[from + 3];
                out[to + 4 * NR] = in[from + 4];
                out[to + 5 * NR] = in[from + 5];
                out[to + 6 * NR] = in[from + 6];
                out[to + 7 * NR] = in[from + 7];
            }
        }
        for (; d < depth; d++) {
            for (int r = 0; r < width; r++) {
                out[offset + d * NR + r] = in[inOffset + r * LDA + d];
            }
        }
        if (width < NR) {
            for (d = 0; d < depth; d++) {
                Arrays.fill(out, offset + d * NR + width, offset + (d + 1) * NR, 0f);
            }
        }
    }
}
