package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.KC;
import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.LDA;
import static io.github.rankine.engine.kernels.MicroKernel.NR;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/**
 * Blocked products on all workers (after Goto and van de Geijn 2008). A chunk of {@code b}'s columns is unpacked once into panels that all
 * workers read; then each task multiplies a block of {@code a}'s rows by a strip of those panels. The blocks depend on the shapes
 * alone, and each element of {@code c} is summed in one order.
 */
final class Gemm {
    /** Rows of {@code a} that a task packs at a time: with KC columns they fit the second-level cache. */
    private static final int MC = 96;
    /** Elements of {@code b} that are unpacked at a time (8 MiB). */
    private static final int CHUNK = 1 << 21;
    /** Enough tasks to balance a handful of threads. */
    private static final int TASKS = 16;

    private final Workers workers;
    private final float[][] blocks;
    private final float[][] tiles;
    private float[] panels = new float[0];

    Gemm(Workers workers) {
        this.workers = workers;
        blocks = new float[workers.count()][MicroKernel.paddedRows(MC) * LDA];
        tiles = new float[workers.count()][Math.max(MicroKernel.paddedRows(MC), NR) * LDA];
    }

    /**
     * {@code c[m, n] (+)= alpha · op(a) · op(b)}.
     *
     * @param transposeA {@code a} is {@code [k, m]} instead of {@code [m, k]}
     * @param transposeB {@code b} is {@code [n, k]} instead of {@code [k, n]}
     */
    void multiply(
            Tensor a, boolean transposeA, Operand b, boolean transposeB, Tensor c, float alpha, boolean accumulate) {
        int m = Math.toIntExact(c.rows());
        long n = c.cols();
        int k = Math.toIntExact(transposeA ? a.rows() : a.cols());
        int chunk = (int) Math.min(MicroKernel.paddedCols((int) Math.min(n, CHUNK)), Math.max(NR, CHUNK / k / NR * NR));
        if (panels.length < (long) k * chunk) {
            panels = new float[Math.multiplyExact(k, chunk)];
        }
        for (long first = 0; first < n; first += chunk) {
            int width = (int) Math.min(chunk, n - first);
            pack(b, transposeB, first, width, k);
            multiplyChunk(a, transposeA, m, k, c.cols(first, width), alpha, accumulate);
        }
    }

    /** Panels in the order (block of k, panel of columns). */
    private void pack(Operand b, boolean transpose, long first, int width, int k) {
        int panelCount = (width + NR - 1) / NR;
        int depths = (k + KC - 1) / KC;
        float[] out = panels;
        workers.run(panelCount * depths, (task, worker) -> {
            int panel = task % panelCount;
            int k0 = task / panelCount * KC;
            int depth = Math.min(KC, k - k0);
            int offset = k0 * panelCount * NR + panel * depth * NR;
            int cols = Math.min(NR, width - panel * NR);
            long col = first + (long) panel * NR;
            if (transpose) {
                Packing.panelTransposed(b, col, cols, k0, depth, out, offset, tiles[worker]);
            } else {
                Packing.panel(b, k0, depth, col, cols, out, offset);
            }
        });
    }

    private void multiplyChunk(Tensor a, boolean transposeA, int m, int k, Tensor c, float alpha, boolean accumulate) {
        int width = (int) c.cols();
        int panelCount = (width + NR - 1) / NR;
        int rowBlocks = (m + MC - 1) / MC;
        int strips = Math.min(panelCount, (TASKS + rowBlocks - 1) / rowBlocks);
        int stripPanels = (panelCount + strips - 1) / strips;
        int stripCount = (panelCount + stripPanels - 1) / stripPanels;
        float[] packed = panels;
        workers.run(rowBlocks * stripCount, (task, worker) -> {
            int row = task / stripCount * MC;
            int rows = Math.min(MC, m - row);
            int firstPanel = task % stripCount * stripPanels;
            int lastPanel = Math.min(firstPanel + stripPanels, panelCount);
            float[] block = blocks[worker];
            float[] tile = tiles[worker];
            for (int k0 = 0; k0 < k; k0 += KC) {
                int depth = Math.min(KC, k - k0);
                if (transposeA) {
                    Packing.rowsTransposed(a, row, rows, k0, depth, block, 0, tile);
                } else {
                    Packing.rows(a, row, rows, k0, depth, block);
                }
                for (int panel = firstPanel; panel < lastPanel; panel++) {
                    int offset = k0 * panelCount * NR + panel * depth * NR;
                    MicroKernel.multiply(block, 0, rows, packed, offset, depth, tile, 0, NR);
                    int col = panel * NR;
                    write(tile, rows, Math.min(NR, width - col), c, row, col, alpha, accumulate || k0 > 0);
                }
            }
        });
    }

    private static void write(
            float[] tile, int rows, int cols, Tensor c, long row, long col, float alpha, boolean accumulate) {
        MemorySegment out = c.segment();
        for (int i = 0; i < rows; i++) {
            long offset = c.offset(row + i, col);
            if (cols < NR) {
                Elements.writeRow(tile, i * NR, cols, out, offset, alpha, accumulate);
            } else if (accumulate) {
                addVectors(tile, i * NR, out, offset, alpha);
            } else {
                setVectors(tile, i * NR, out, offset, alpha);
            }
        }
    }

    private static void setVectors(float[] tile, int i, MemorySegment out, long offset, float alpha) {
        Elements.store(FloatVector.fromArray(SPECIES, tile, i).mul(alpha), out, offset);
        Elements.store(FloatVector.fromArray(SPECIES, tile, i + LANES).mul(alpha), out, offset + 4L * LANES);
    }

    private static void addVectors(float[] tile, int i, MemorySegment out, long offset, float alpha) {
        FloatVector first = FloatVector.fromArray(SPECIES, tile, i).mul(alpha);
        FloatVector second = FloatVector.fromArray(SPECIES, tile, i + LANES).mul(alpha);
        Elements.store(first.add(Elements.load(out, offset)), out, offset);
        Elements.store(second.add(Elements.load(out, offset + 4L * LANES)), out, offset + 4L * LANES);
    }
}
