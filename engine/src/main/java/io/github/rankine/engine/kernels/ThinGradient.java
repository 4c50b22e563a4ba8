package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.KC;
import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.LDA;
import static io.github.rankine.engine.kernels.MicroKernel.NR;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * {@code c = aᵀ · b} over many rows where {@code a} or {@code b} has few columns, as the gradients of LoRA's matrices have. The thin operand is packed
 * once; a task packs NR columns of the wide one, a few rows at a time, and multiplies them while they are in the first-level cache.
 */
final class ThinGradient {
    /** The most columns that count as few. */
    static final int MAX_COLUMNS = 64;

    private final Workers workers;
    private final Scratch[] scratch;
    private float[] packed = new float[0];

    ThinGradient(Workers workers) {
        this.workers = workers;
        scratch = new Scratch[workers.count()];
        for (int worker = 0; worker < scratch.length; worker++) {
            scratch[worker] = new Scratch();
        }
    }

    /** {@code c[m, n] (+)= alpha · a[k, m]ᵀ · b[k, n]}. */
    void multiply(Tensor a, Tensor b, Tensor c, float alpha, boolean accumulate) {
        boolean thinRows = a.cols() <= b.cols();
        Tensor thin = thinRows ? a : b;
        Operand wide = Operand.of(thinRows ? b : a);
        int rows = (int) thin.cols();
        int k = Math.toIntExact(a.rows());
        int width = Math.toIntExact(wide.cols());
        int blocks = (k + KC - 1) / KC;
        int blockSize = MicroKernel.paddedRows(rows) * LDA;
        if (packed.length < Math.multiplyExact(blocks, blockSize)) {
            packed = new float[blocks * blockSize];
        }
        workers.run(blocks, (block, worker) -> {
            float[] read = scratch[worker].panel;
            int depth = Math.min(KC, k - block * KC);
            Packing.rowsTransposed(
                    thin,
                    0,
                    rows,
                    (long) block * KC,
                    depth,
                    packed,
                    block * blockSize,
                    read,
                    scratch[worker].transposition);
        });
        workers.run((width + NR - 1) / NR, (task, worker) -> {
            Scratch s = scratch[worker];
            int col = task * NR;
            int cols = Math.min(NR, width - col);
            Arrays.fill(s.sum, 0, rows * NR, 0f);
            for (int block = 0; block < blocks; block++) {
                int depth = Math.min(KC, k - block * KC);
                Packing.panel(wide, (long) block * KC, depth, col, cols, s.panel, 0);
                MicroKernel.multiply(packed, block * blockSize, rows, s.panel, 0, depth, s.tile, 0, NR);
                add(s.tile, s.sum, rows * NR);
            }
            if (thinRows) {
                for (int i = 0; i < rows; i++) {
                    Elements.writeRow(s.sum, i * NR, cols, c.segment(), c.offset(i, col), alpha, accumulate);
                }
            } else {
                s.transposition.run(s.sum, 0, NR, rows, cols, s.tile, 0, rows);
                for (int i = 0; i < cols; i++) {
                    Elements.writeRow(s.tile, i * rows, rows, c.segment(), c.offset(col + i, 0), alpha, accumulate);
                }
            }
        });
    }

    private static void add(float[] from, float[] to, int count) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector.fromArray(SPECIES, to, i)
                    .add(FloatVector.fromArray(SPECIES, from, i))
                    .intoArray(to, i);
        }
    }

    /** One worker's memory. */
    private static final class Scratch {
        final Transposition transposition = new Transposition();
        final float[] panel = new float[KC * NR];
        final float[] tile = new float[MicroKernel.paddedRows(MAX_COLUMNS) * NR];
        final float[] sum = new float[MAX_COLUMNS * NR];
    }
}
