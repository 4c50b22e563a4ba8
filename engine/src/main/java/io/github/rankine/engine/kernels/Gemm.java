package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.NR;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;
import static io.github.rankine.engine.kernels.MicroKernel.STEPS;
import static io.github.rankine.engine.kernels.PanelKernel.GROUP;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Blocked products on all workers (after Goto and van de Geijn 2008). A task multiplies a block of the left operand's rows by a strip of the
 * right one's columns and writes that part of the result once. Its worker packs both for itself and keeps them while they serve the tasks
 * that follow: of the longer side what the task at hand needs, of the shorter one all. To pack something twice costs less than to
 * hand it from core to core, which may be far apart. What is packed is little enough to stay in the caches, or packing would cost
 * memory as much as it saves. Tasks depend on the shapes alone, and each element of the result is summed in one order.
 */
final class Gemm {
    /** Rows of a block. */
    private static final int MC = 48;
    /** Inner dimension that a tile is summed over at a time: a panel of it stays in the second-level cache. */
    private static final int DEPTH = 1024;
    /** Inner dimension that is packed at a time: a block of it stays in the second-level cache. */
    private static final int MAX_INNER = 2048;
    /** The most that a product of low rank adds to that. */
    static final int MAX_EXTRA = 256;
    /** Elements of the shorter side that are packed at a time (8 MiB). */
    private static final int MAX_SIDE = 1 << 21;
    /** Inner dimensions, all of a strip's panels together, that make a task worth its hand-over. */
    private static final int MIN_WORK = 512;

    private final Workers workers;
    private final Memory[] memories;
    /** Counts the chunks, to tell what was packed for an earlier one. */
    private int round;

    Gemm(Workers workers) {
        this.workers = workers;
        memories = new Memory[workers.count()];
        for (int worker = 0; worker < memories.length; worker++) {
            memories[worker] = new Memory();
        }
    }

    /** The operands of one call, as {@link #multiply} has them; without a product of low rank {@code u} and {@code v} are null. */
    private record Call(
            Tensor a,
            boolean transposeA,
            Operand b,
            boolean transposeB,
            Tensor u,
            Operand v,
            Tensor c,
            float alpha,
            boolean accumulate) {}

    /**
     * What one loop over tasks multiplies: a rectangle of the result, and a stretch of the inner dimension.
     *
     * @param depth  of the inner dimension, the product of low rank included
     * @param extra  what that product has of it: the last steps
     * @param byRows the tasks of one block of rows follow each other, not those of one strip of columns
     * @param panels panels of a strip
     */
    private record Chunk(
            long row,
            long rows,
            long col,
            long cols,
            long inner,
            int depth,
            int extra,
            boolean byRows,
            int panels,
            int round) {
        int blocks() {
            return Math.toIntExact(Math.ceilDiv(rows, (long) MC));
        }

        int strips() {
            return Math.toIntExact(Math.ceilDiv(cols, (long) panels * NR));
        }

        /** The inner dimension is summed over in equal steps, all but the last, none of which leaves a tile's loop a rest. */
        int step() {
            return (int) evenly(depth, DEPTH, STEPS);
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
        multiply(new Call(a, transposeA, b, transposeB, null, null, c, alpha, accumulate));
    }

    /**
     * {@code c[m, n] (+)= a[m, k] · op(b) + u[m, r] · op(v)}: the second product prolongs the inner dimension of the first.
     *
     * @param transpose {@code b} is {@code [n, k]} and {@code v [n, r]} instead of {@code [k, n]} and {@code [r, n]}
     */
    void multiply(Tensor a, Operand b, boolean transpose, Tensor u, Operand v, Tensor c, boolean accumulate) {
        multiply(new Call(a, false, b, transpose, u, v, c, 1, accumulate));
    }

    private void multiply(Call call) {
        long m = call.c.rows();
        long n = call.c.cols();
        long k = call.transposeA ? call.a.rows() : call.a.cols();
        int depth = Math.toIntExact(evenly(k, MAX_INNER, STEPS));
        int panels = Math.ceilDiv(MIN_WORK, depth);
        boolean byRows = 2 * m >= n;
        long rows = byRows ? m : evenly(m, MAX_SIDE / depth, MC);
        long cols = byRows ? evenly(n, MAX_SIDE / depth, panels * NR) : n;
        for (long inner = 0; inner < k; inner += depth) {
            int extra = call.u != null && inner + depth >= k ? (int) call.u.cols() : 0;
            int depthHere = (int) Math.min(depth, k - inner) + extra;
            for (long row = 0; row < m; row += rows) {
                for (long col = 0; col < n; col += cols) {
                    long rowsHere = Math.min(rows, m - row);
                    long colsHere = Math.min(cols, n - col);
                    multiply(
                            call,
                            new Chunk(row, rowsHere, col, colsHere, inner, depthHere, extra, byRows, panels, ++round));
                }
            }
        }
    }

    /** The largest part when {@code size} is cut evenly into parts of at most {@code most}, rounded up to whole {@code unit}s. */
    private static long evenly(long size, int most, int unit) {
        long parts = Math.ceilDiv(size, (long) Math.max(most, unit));
        return Math.ceilDiv(Math.ceilDiv(size, parts), (long) unit) * unit;
    }

    private void multiply(Call call, Chunk chunk) {
        int blocks = chunk.blocks();
        int strips = chunk.strips();
        workers.run(Math.multiplyExact(blocks, strips), (task, worker) -> {
            int block = chunk.byRows ? task / strips : task % blocks;
            int strip = chunk.byRows ? task % strips : task / blocks;
            memories[worker].multiply(call, chunk, block, strip);
        });
    }

    /** Blocks, or strips, of one operand as they were packed: one at a time, or all of a chunk. */
    private static final class Packed {
        float[] data = new float[0];
        /** What is in each place: the number of the block or strip, and the round. */
        private int[] held = new int[0];

        private int[] rounds = new int[0];

        /** Makes room for {@code places} of {@code size} elements. */
        void reserve(int places, int size) {
            if (data.length < Math.multiplyExact(places, size)) {
                data = new float[places * size];
                Arrays.fill(rounds, 0);
            }
            if (held.length < places) {
                held = new int[places];
                rounds = new int[places];
            }
        }

        /** Whether a place holds something else; it counts as filled from now on. */
        boolean lacks(int place, int number, int round) {
            if (rounds[place] == round && held[place] == number) {
                return false;
            }
            rounds[place] = round;
            held[place] = number;
            return true;
        }
    }

    /** One worker's memory. */
    private static final class Memory {
        private final PanelPacking packing = new PanelPacking();
        private final float[] sum = new float[MC * NR];
        private final Packed left = new Packed();
        private final Packed right = new Packed();

        /** A task. */
        void multiply(Call call, Chunk chunk, int block, int strip) {
            int leftAt = packLeft(call, chunk, block);
            int rightAt = packRight(call, chunk, strip);
            int rows = (int) Math.min(MC, chunk.rows - (long) block * MC);
            long width = (long) chunk.panels * NR;
            long first = strip * width;
            long end = Math.min(first + width, chunk.cols);
            for (long col = first; col < end; col += NR) {
                int cols = (int) Math.min(NR, end - col);
                int at = rightAt + (int) (col - first) * chunk.depth;
                multiply(call, chunk, leftAt, chunk.row + (long) block * MC, rows, at, chunk.col + col, cols);
            }
        }

        /** Returns where the block is. */
        private int packLeft(Call call, Chunk chunk, int block) {
            int size = PanelKernel.groupSize(chunk.depth);
            int blockSize = Math.ceilDiv(MC, GROUP) * size;
            left.reserve(chunk.byRows ? 1 : chunk.blocks(), blockSize);
            int place = chunk.byRows ? 0 : block;
            int at = place * blockSize;
            if (left.lacks(place, block, chunk.round)) {
                long row = (long) block * MC;
                int count = (int) Math.min(MC, chunk.rows - row);
                int step = call.transposeA ? PanelPacking.COLUMNS : GROUP;
                Operand a = Operand.of(call.a);
                int depth = chunk.depth - chunk.extra;
                for (int i = 0; i < count; i += step) {
                    int rows = Math.min(step, count - i);
                    int to = at + i / GROUP * size;
                    long from = chunk.row + row + i;
                    if (call.transposeA) {
                        packing.groupsOfColumns(a, chunk.inner, depth, from, rows, left.data, to, size);
                    } else {
                        packing.group(a, from, rows, chunk.inner, depth, left.data, to);
                    }
                    if (chunk.extra > 0) {
                        Operand u = Operand.of(call.u);
                        packing.group(u, from, rows, 0, chunk.extra, left.data, to + depth * GROUP);
                    }
                }
            }
            return at;
        }

        /** Returns where the strip is. */
        private int packRight(Call call, Chunk chunk, int strip) {
            int width = chunk.panels * NR;
            int size = width * chunk.depth;
            right.reserve(chunk.byRows ? chunk.strips() : 1, size);
            int place = chunk.byRows ? strip : 0;
            int at = place * size;
            if (right.lacks(place, strip, chunk.round)) {
                long first = (long) strip * width;
                int count = (int) Math.min(width, chunk.cols - first);
                for (int i = 0; i < count; i += NR) {
                    int cols = Math.min(NR, count - i);
                    int to = at + i * chunk.depth;
                    long from = chunk.col + first + i;
                    int depth = chunk.depth - chunk.extra;
                    packRight(call.b, call.transposeB, chunk.inner, depth, from, cols, to);
                    if (chunk.extra > 0) {
                        packRight(call.v, call.transposeB, 0, chunk.extra, from, cols, to + depth * NR);
                    }
                }
            }
            return at;
        }

        private void packRight(Operand b, boolean transposed, long k, int depth, long col, int count, int at) {
            if (transposed) {
                packing.panel(b, col, count, k, depth, right.data, at);
            } else {
                PanelPacking.panelOfColumns(b, k, depth, col, count, right.data, at);
            }
        }

        /**
         * A block times a panel. Each tile is written as soon as it is complete, lest many writes that miss the caches come together:
         * a few are done while the next tile is computed.
         */
        private void multiply(Call call, Chunk chunk, int leftAt, long row, int rows, int rightAt, long col, int cols) {
            Arrays.fill(sum, 0, rows * NR, 0f);
            int size = PanelKernel.groupSize(chunk.depth);
            int step = chunk.step();
            boolean accumulate = call.accumulate || chunk.inner > 0;
            for (int d = 0; d < chunk.depth; d += step) {
                int depth = Math.min(step, chunk.depth - d);
                for (int i = 0; i < rows; i += GROUP) {
                    int count = Math.min(GROUP, rows - i);
                    int a = leftAt + i / GROUP * size + d * GROUP;
                    PanelKernel.multiply(left.data, a, count, right.data, rightAt + d * NR, depth, sum, i * NR);
                    if (d + step >= chunk.depth) {
                        write(sum, i * NR, count, cols, call.c, row + i, col, call.alpha, accumulate);
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
