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
            Tensor a,
            long row,
            int rows,
            long k,
            int depth,
            float[] out,
            int offset,
            float[] scratch,
            Transposition transposition) {
        int step = Math.min(depth, scratch.length / rows);
        for (int first = 0; first < depth; first += step) {
            int count = Math.min(step, depth - first);
            for (int d = 0; d < count; d++) {
                Unpack.row(DType.F32, a.segment(), (k + first + d) * a.stride() + row, scratch, d * rows, rows);
            }
            transposition.run(scratch, 0, rows, count, rows, out, offset + first, LDA);
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
}
