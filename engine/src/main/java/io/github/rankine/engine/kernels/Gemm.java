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
 * Blocked products on all workers (after Goto and van de Geijn 2008). A chunk of the right operand is packed once into memory that all
 * workers read; then each task multiplies a block of the left one's rows, which its worker packs for itself, by a strip of the panels and
 * writes its part of the result once. What is packed is little enough to stay in the caches, or packing would cost memory as much as
 * it saves. Chunks and tasks depend on the shapes alone, and each element of the result is summed in one order.
 */
final class Gemm {
    /** Rows of a task. */
    private static final int MC = 96;
    /** Inner dimension that a tile is summed over at a time: a panel of it stays in the second-level cache. */
    private static final int DEPTH = 1024;
    /** Inner dimension that is packed at a time: a task's rows of it stay in the second-level cache. */
    private static final int MAX_INNER = 2048;
    /** Elements of the right operand that are packed at a time (8 MiB). */
    private static final int MAX_RIGHT = 1 << 21;
    /** Enough tasks to balance a handful of threads. */
    private static final int TASKS = 32;

    private final Workers workers;
    private final Rows[] rows;
    private float[] right = new float[0];
    /** Counts the chunks, to tell rows that were packed for an earlier one. */
    private int round;

    Gemm(Workers workers) {
        this.workers = workers;
        rows = new Rows[workers.count()];
        for (int worker = 0; worker < rows.length; worker++) {
            rows[worker] = new Rows();
        }
    }

    /** The operands of one call, as {@link #multiply} has them. */
    private record Call(
            Tensor a, boolean transposeA, Operand b, boolean transposeB, Tensor c, float alpha, boolean accumulate) {}

    /** What is packed at a time: columns of the right operand, and a stretch of the inner dimension. */
    private record Chunk(long col, int cols, long inner, int depth, int round) {
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
        Call call = new Call(a, transposeA, b, transposeB, c, alpha, accumulate);
        long n = c.cols();
        long k = transposeA ? a.rows() : a.cols();
        int depth = evenly(k, MAX_INNER, 1);
        int cols = evenly(n, MAX_RIGHT / depth, NR);
        int size = Math.multiplyExact(Math.ceilDiv(cols, NR) * NR, depth);
        if (right.length < size) {
            right = new float[size];
        }
        for (long inner = 0; inner < k; inner += depth) {
            for (long col = 0; col < n; col += cols) {
                int colsHere = (int) Math.min(cols, n - col);
                int depthHere = (int) Math.min(depth, k - inner);
                Chunk chunk = new Chunk(col, colsHere, inner, depthHere, ++round);
                workers.run(
                        chunk.panels(), (panel, worker) -> packRight(call, chunk, panel * NR, rows[worker].packing));
                multiply(call, chunk);
            }
        }
    }

    /** The largest part when {@code size} is cut evenly into parts of at most {@code most}, rounded up to whole {@code unit}s. */
    private static int evenly(long size, int most, int unit) {
        long parts = Math.ceilDiv(size, Math.max(most, unit));
        return Math.toIntExact(Math.ceilDiv(Math.ceilDiv(size, parts), unit) * unit);
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

    private void multiply(Call call, Chunk chunk) {
        int panels = chunk.panels();
        int blocks = Math.toIntExact(Math.ceilDiv(call.c.rows(), (long) MC));
        int stripPanels = Math.ceilDiv(panels, Math.min(panels, Math.ceilDiv(TASKS, blocks)));
        int strips = Math.ceilDiv(panels, stripPanels);
        workers.run(Math.multiplyExact(blocks, strips), (task, worker) -> {
            Rows block = rows[worker];
            block.take(call, chunk, task / strips);
            int firstPanel = task % strips * stripPanels;
            int lastPanel = Math.min(firstPanel + stripPanels, panels);
            for (int panel = firstPanel; panel < lastPanel; panel++) {
                block.multiply(call, chunk, panel, right);
            }
        });
    }

    /** A block of the left operand's rows: one worker's memory. */
    private static final class Rows {
        final PanelPacking packing = new PanelPacking();
        private final float[] sum = new float[MC * NR];
        private float[] left = new float[0];
        private int round;
        private int block;
        private int count;

        /** Packs the rows of a block, unless they are those that it holds. */
        void take(Call call, Chunk chunk, int number) {
            if (round == chunk.round && block == number) {
                return;
            }
            round = chunk.round;
            block = number;
            long row = (long) number * MC;
            count = (int) Math.min(MC, call.c.rows() - row);
            int size = PanelKernel.groupSize(chunk.depth);
            if (left.length < Math.ceilDiv(MC, GROUP) * size) {
                left = new float[Math.ceilDiv(MC, GROUP) * size];
            }
            int step = call.transposeA ? PanelPacking.COLUMNS : GROUP;
            Operand a = Operand.of(call.a);
            for (int i = 0; i < count; i += step) {
                int rows = Math.min(step, count - i);
                int at = i / GROUP * size;
                if (call.transposeA) {
                    packing.groupsOfColumns(a, chunk.inner, chunk.depth, row + i, rows, left, at, size);
                } else {
                    packing.group(a, row + i, rows, chunk.inner, chunk.depth, left, at);
                }
            }
        }

        /**
         * The block times a panel. Each tile is written as soon as it is complete, lest many writes that miss the caches come together:
         * a few are done while the next tile is computed.
         */
        void multiply(Call call, Chunk chunk, int panel, float[] right) {
            Arrays.fill(sum, 0, count * NR, 0f);
            int size = PanelKernel.groupSize(chunk.depth);
            int step = chunk.blockDepth();
            int cols = Math.min(NR, chunk.cols - panel * NR);
            boolean accumulate = call.accumulate || chunk.inner > 0;
            for (int d = 0; d < chunk.depth; d += step) {
                int depth = Math.min(step, chunk.depth - d);
                int b = (panel * chunk.depth + d) * NR;
                for (int i = 0; i < count; i += GROUP) {
                    int rows = Math.min(GROUP, count - i);
                    PanelKernel.multiply(left, i / GROUP * size + d * GROUP, rows, right, b, depth, sum, i * NR);
                    if (d + step >= chunk.depth) {
                        long row = (long) block * MC + i;
                        write(sum, i * NR, rows, cols, call.c, row, chunk.col + panel * NR, call.alpha, accumulate);
                    }
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
