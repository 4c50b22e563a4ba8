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

    /** Rows {@code row …} and columns {@code k …} of {@code aᵀ}, {@code a [k, rows]}. {@code scratch} holds a few of its rows. */
    static void rowsTransposed(
            Tensor a, long row, int rows, long k, int depth, float[] out, int offset, float[] scratch) {
        int step = Math.min(depth, scratch.length / rows);
        for (int first = 0; first < depth; first += step) {
            int count = Math.min(step, depth - first);
            for (int d = 0; d < count; d++) {
                Unpack.row(DType.F32, a.segment(), (k + first + d) * a.stride() + row, scratch, d * rows, rows);
            }
            transpose(scratch, 0, rows, count, rows, out, offset + first, LDA);
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

    /** {@code out[d, NR] = in[r, LDA]ᵀ}, columns past {@code width} zero. */
    static void transpose(float[] in, int inOffset, int width, int depth, float[] out, int offset) {
        transpose(in, inOffset, LDA, width, depth, out, offset, NR);
        if (width < NR) {
            for (int d = 0; d < depth; d++) {
                Arrays.fill(out, offset + d * NR + width, offset + (d + 1) * NR, 0f);
            }
        }
    }

    /** {@code out[c, r] = in[r, c]}, with the strides given. */
    static void transpose(
            float[] in, int inOffset, int inStride, int rows, int cols, float[] out, int offset, int outStride) {
        int c = 0;
        for (; c <= cols - 8; c += 8) {
            for (int r = 0; r < rows; r++) {
                int from = inOffset + r * inStride + c;
                int to = offset + c * outStride + r;
                out[to] = in[from];
                out[to + outStride] = in[from + 1];
                out[to + 2 * outStride] = in[from + 2];
                out[to + 3 * outStride] = in[from + 3];
                out[to + 4 * outStride] = in[from + 4];
                out[to + 5 * outStride] = in[from + 5];
                out[to + 6 * outStride] = in[from + 6];
                out[to + 7 * outStride] = in[from + 7];
            }
        }
        for (; c < cols; c++) {
            for (int r = 0; r < rows; r++) {
                out[offset + c * outStride + r] = in[inOffset + r * inStride + c];
            }
        }
    }
}
