package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.NR;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;
import static io.github.rankine.engine.kernels.PanelKernel.GROUP;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Blocked products on all workers (after Goto and van de Geijn 2008). A chunk of each operand is packed once into memory that all
 * workers read; then each task multiplies a block of {@code a}'s rows by a strip of {@code b}'s panels and writes its part of {@code c}
 * once. The chunks and tasks depend on the shapes alone, and each element of {@code c} is summed in one order.
 */
final class Gemm {
    /** Rows of a task. */
    private static final int MC = 96;
    /** Inner dimension that a tile is summed over at a time: a panel of it stays in the second-level cache. */
    private static final int DEPTH = 1024;
    /** Inner dimension that is packed at a time: a task's rows of it stay in the second-level cache. */
    private static final int MAX_INNER = 2048;
    /** Elements of {@code a} and of {@code b} that are packed at a time (16 and 8 MiB). */
    private static final int MAX_LEFT = 1 << 22;

    private static final int MAX_RIGHT = 1 << 21;
    /** Enough tasks to balance a handful of threads. */
    private static final int TASKS = 32;

    private final Workers workers;
    private final PanelPacking[] packing;
    private final float[][] sums;
    private float[] left = new float[0];
    private float[] right = new float[0];

    Gemm(Workers workers) {
        this.workers = workers;
        packing = new PanelPacking[workers.count()];
        for (int worker = 0; worker < packing.length; worker++) {
            packing[worker] = new PanelPacking();
        }
        sums = new float[workers.count()][MC * NR];
    }

    /** The operands of one call, as {@link #multiply} has them. */
    private record Call(Operand a, boolean transposeA, Operand b, boolean transposeB, float alpha) {}

    /** What is packed at a time: rows of {@code a}, columns of {@code b}, and a stretch of the inner dimension. */
    private record Chunk(long row, int rows, long col, int cols, long inner, int depth) {
        int panels() {
            return Math.ceilDiv(cols, NR);
        }

        /** Blocks of the inner dimension, all of {@link #blockDepth} but the last. */
        int blocks() {
            return Math.ceilDiv(depth, DEPTH);
        }

        int blockDepth() {
            return Math.ceilDiv(depth, blocks());
        }
    }

    /**
     * {@code c[m, n] (+)= alpha · op(a) · op(b)}.
     *
     * @param transposeA {@code a} is {@code [k, m]} instead of {@code [m, k]}
     * @param transposeB {@code b} is {@code [n, k]} instead of {@code [k, n]}
     */
    void multiply(
            Tensor a, boolean transposeA, Operand b, boolean transposeB, Tensor c, float alpha, boolean accumulate) {
        Call call = new Call(Operand.of(a), transposeA, b, transposeB, alpha);
        long m = c.rows();
        long n = c.cols();
        long k = transposeA ? a.rows() : a.cols();
        int depth = evenly(k, MAX_INNER, 1);
        int rows = evenly(m, MAX_LEFT / depth, PanelPacking.COLUMNS);
        int cols = evenly(n, MAX_RIGHT / depth, NR);
        reserve(rows, cols, depth);
        for (long row = 0; row < m; row += rows) {
            for (long inner = 0; inner < k; inner += depth) {
                for (long col = 0; col < n; col += cols) {
                    int rowsHere = (int) Math.min(rows, m - row);
                    int colsHere = (int) Math.min(cols, n - col);
                    int depthHere = (int) Math.min(depth, k - inner);
                    Chunk chunk = new Chunk(row, rowsHere, col, colsHere, inner, depthHere);
                    pack(call, chunk, col == 0);
                    multiply(call, chunk, c, accumulate || inner > 0);
                }
            }
        }
    }

    /** The largest part when {@code size} is cut evenly into parts of at most {@code most}, rounded up to whole {@code unit}s. */
    private static int evenly(long size, int most, int unit) {
        long parts = Math.ceilDiv(size, Math.max(most, unit));
        return Math.toIntExact(Math.ceilDiv(Math.ceilDiv(size, parts), unit) * unit);
    }

    private void reserve(int rows, int cols, int depth) {
        int leftSize = Math.multiplyExact(Math.ceilDiv(rows, GROUP), PanelKernel.groupSize(depth));
        if (left.length < leftSize) {
            left = new float[leftSize];
        }
        int rightSize = Math.multiplyExact(Math.ceilDiv(cols, NR) * NR, depth);
        if (right.length < rightSize) {
            right = new float[rightSize];
        }
    }

    /** Packs the chunk of {@code b}, panels after one another, and that of {@code a} if it is a new one. */
    private void pack(Call call, Chunk chunk, boolean newRows) {
        int panels = chunk.panels();
        int leftTasks = newRows ? Math.ceilDiv(chunk.rows, PanelPacking.COLUMNS) : 0;
        workers.run(panels + leftTasks, (task, worker) -> {
            if (task < leftTasks) {
                packLeft(call, chunk, task * PanelPacking.COLUMNS, packing[worker]);
            } else {
                packRight(call, chunk, (task - leftTasks) * NR, packing[worker]);
            }
        });
    }

    private void packLeft(Call call, Chunk chunk, int first, PanelPacking packing) {
        int size = PanelKernel.groupSize(chunk.depth);
        int count = Math.min(PanelPacking.COLUMNS, chunk.rows - first);
        if (call.transposeA) {
            packing.groupsOfColumns(
                    call.a, chunk.inner, chunk.depth, chunk.row + first, count, left, first / GROUP * size, size);
            return;
        }
        for (int i = 0; i < count; i += GROUP) {
            packing.group(
                    call.a,
                    chunk.row + first + i,
                    Math.min(GROUP, count - i),
                    chunk.inner,
                    chunk.depth,
                    left,
                    (first + i) / GROUP * size);
        }
    }

    private void packRight(Call call, Chunk chunk, int first, PanelPacking packing) {
        int count = Math.min(NR, chunk.cols - first);
        int at = first * chunk.depth;
        if (call.transposeB) {
            packing.panel(call.b, chunk.col + first, count, chunk.inner, chunk.depth, right, at);
        } else {
            PanelPacking.panelOfColumns(call.b, chunk.inner, chunk.depth, chunk.col + first, count, right, at);
        }
    }

    private void multiply(Call call, Chunk chunk, Tensor c, boolean accumulate) {
        int panels = chunk.panels();
        int rowBlocks = Math.ceilDiv(chunk.rows, MC);
        int stripPanels = Math.ceilDiv(panels, Math.min(panels, Math.ceilDiv(TASKS, rowBlocks)));
        int strips = Math.ceilDiv(panels, stripPanels);
        workers.run(rowBlocks * strips, (task, worker) -> {
            int row = task / strips * MC;
            int rows = Math.min(MC, chunk.rows - row);
            int firstPanel = task % strips * stripPanels;
            int lastPanel = Math.min(firstPanel + stripPanels, panels);
            float[] sum = sums[worker];
            for (int panel = firstPanel; panel < lastPanel; panel++) {
                multiply(chunk, row, rows, panel, sum, c, call.alpha, accumulate);
            }
        });
    }

    /**
     * A block of rows times a panel. Each tile is written as soon as it is complete, lest many writes that miss the caches come together:
     * a few are done while the next tile is computed.
     */
    private void multiply(
            Chunk chunk, int row, int rows, int panel, float[] sum, Tensor c, float alpha, boolean accumulate) {
        Arrays.fill(sum, 0, rows * NR, 0f);
        int size = PanelKernel.groupSize(chunk.depth);
        int step = chunk.blockDepth();
        int cols = Math.min(NR, chunk.cols - panel * NR);
        for (int d = 0; d < chunk.depth; d += step) {
            int depth = Math.min(step, chunk.depth - d);
            int b = (panel * chunk.depth + d) * NR;
            for (int i = 0; i < rows; i += GROUP) {
                int a = (row + i) / GROUP * size + d * GROUP;
                int count = Math.min(GROUP, rows - i);
                PanelKernel.multiply(left, a, count, right, b, depth, sum, i * NR);
                if (d + step >= chunk.depth) {
                    write(sum, i * NR, count, cols, c, chunk.row + row + i, chunk.col + panel * NR, alpha, accumulate);
                }
            }
        }
    }

    private static void write(
            float[] sum, int at, int rows, int cols, Tensor c, long row, long col, float alpha, boolean accumulate) {
        MemorySegment out = c.segment();
        for (int i = 0; i < rows; i++) {
            long offset = c.offset(row + i, col);
            if (cols < NR) {
                Elements.writeRow(sum, at + i * NR, cols, out, offset, alpha, accumulate);
            } else if (accumulate) {
                addVectors(sum, at + i * NR, out, offset, alpha);
            } else {
                setVectors(sum, at + i * NR, out, offset, alpha);
            }
        }
    }

    private static void setVectors(float[] sum, int i, MemorySegment out, long offset, float alpha) {
        Elements.store(FloatVector.fromArray(SPECIES, sum, i).mul(alpha), out, offset);
        Elements.store(FloatVector.fromArray(SPECIES, sum, i + LANES).mul(alpha), out, offset + 4L * LANES);
    }

    private static void addVectors(float[] sum, int i, MemorySegment out, long offset, float alpha) {
        FloatVector first = FloatVector.fromArray(SPECIES, sum, i).mul(alpha);
        FloatVector second = FloatVector.fromArray(SPECIES, sum, i + LANES).mul(alpha);
        Elements.store(first.add(Elements.load(out, offset)), out, offset);
        Elements.store(second.add(Elements.load(out, offset + 4L * LANES)), out, offset + 4L * LANES);
    }
}
