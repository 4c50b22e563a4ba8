package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.CacheLayout.KEYS;
import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.NR;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/**
 * Attention of a few queries to a cache of many keys, as in generation: memory sets the pace, so keys and values are read once, as they lie
 * ({@link CacheLayout}). A unit is a head's keys and values of one block, with the query heads that share them; what the units found is put
 * together by head (Dao et al. 2023, "Flash-Decoding"). A task is several units that lie side by side.
 */
final class AttentionDecode {
    /** Up to this many queries come here. */
    static final int MAX_QUERIES = 4;
    /** Rows of a tile. */
    private static final int ROWS = 4;
    /** Tasks of a call for each thread, so that all end together, or about. */
    private static final int TASKS = 2;
    /** Bytes of keys and values that a task has at least: less is not worth the hand-over. */
    private static final int TASK_BYTES = 1 << 15;
    /** Elements that one task puts together at least. */
    private static final int COMBINED = 1 << 14;
    /** Behind a head's output, a vector of whose lanes the exponentials' sum is the sum, and the largest score. */
    private static final int STATISTICS = LANES + 1;

    private final Workers workers;
    private final Scratch[] scratch;
    /** What the units found for one query: {@code [unit, member of the group, padded headDim + STATISTICS]}. */
    private float[] parts = new float[0];

    AttentionDecode(Workers workers) {
        this.workers = workers;
        scratch = new Scratch[workers.count()];
        for (int worker = 0; worker < scratch.length; worker++) {
            scratch[worker] = new Scratch();
        }
    }

    /**
     * A query and the keys that it sees.
     *
     * @param row  of {@code q}
     * @param low  first key
     * @param high one more than the last
     */
    private record Call(
            Tensor q,
            Tensor keys,
            Tensor values,
            CacheLayout layout,
            int row,
            int low,
            int high,
            Tensor out,
            Tensor logSumExp) {
        AttentionShape shape() {
            return layout.shape();
        }

        int firstBlock() {
            return low / KEYS;
        }

        int units() {
            return Math.multiplyExact(Math.ceilDiv(high, KEYS) - firstBlock(), shape().kvHeads());
        }

        int block(int unit) {
            return firstBlock() + unit / shape().kvHeads();
        }

        long headAt(int unit) {
            return layout.headAt(block(unit), unit % shape().kvHeads());
        }

        /** First of a unit's keys that the query sees. */
        int lowIn(int unit) {
            return Math.max(0, low - block(unit) * KEYS);
        }

        /** One more than the last. */
        int highIn(int unit) {
            return Math.min(KEYS, high - block(unit) * KEYS);
        }

        int partSize() {
            return MicroKernel.paddedCols(shape().headDim()) + STATISTICS;
        }

        int partAt(int unit, int member) {
            return (unit * shape().group() + member) * partSize();
        }
    }

    /** Attends from {@code q}, the last of the first {@code tokens} tokens in the cache. */
    void run(Tensor q, Tensor keys, Tensor values, int tokens, AttentionShape shape, Tensor out, Tensor logSumExp) {
        CacheLayout layout = new CacheLayout(shape);
        for (int row = 0; row < q.rows(); row++) {
            int position = tokens - (int) q.rows() + row;
            run(new Call(q, keys, values, layout, row, shape.firstKey(position), position + 1, out, logSumExp));
        }
    }

    private void run(Call call) {
        AttentionShape shape = call.shape();
        int units = call.units();
        int size = Math.multiplyExact(Math.multiplyExact(units, shape.group()), call.partSize());
        if (parts.length < size) {
            parts = new float[Math.max(size, (int) Math.min(2L * parts.length, Integer.MAX_VALUE - 8))];
        }
        long bytes = 2 * units * call.layout.headBytes();
        int tasks = (int) Math.min((long) TASKS * workers.count(), Math.max(1, bytes / TASK_BYTES));
        workers.run(tasks, (task, worker) -> {
            int first = (int) ((long) units * task / tasks);
            int end = (int) ((long) units * (task + 1) / tasks);
            Scratch s = scratch[worker];
            s.ensure(shape, end - first);
            s.loadQueries(call);
            scores(call, first, end, s);
            softmax(call, first, end, s.scores);
            outputs(call, first, end, s);
        });
        int headsOfTask = Math.max(1, COMBINED / Math.max(1, size / shape.heads()));
        workers.run(Math.ceilDiv(shape.heads(), headsOfTask), (task, worker) -> {
            scratch[worker].ensure(shape, 0);
            for (int head = task * headsOfTask; head < Math.min(shape.heads(), (task + 1) * headsOfTask); head++) {
                combine(call, head, units, scratch[worker]);
            }
        });
    }

    /** Products of the query's heads with the keys. */
    private static void scores(Call call, int first, int end, Scratch s) {
        int headDim = call.shape().headDim();
        int group = call.shape().group();
        MemorySegment keys = call.keys.segment();
        for (int unit = first; unit < end; unit++) {
            int heads = unit % call.shape().kvHeads() * group;
            int at = (unit - first) * group * KEYS;
            long panel = call.headAt(unit);
            for (int key = 0; key < call.highIn(unit); key += NR) {
                for (int member = 0; member < group; member += ROWS) {
                    int rows = Math.min(ROWS, group - member);
                    int from = (heads + member) * headDim;
                    tile(
                            s.queries,
                            from,
                            headDim,
                            rows,
                            keys,
                            panel,
                            headDim,
                            s.scores,
                            at + member * KEYS + key,
                            KEYS);
                }
                panel += call.layout.keyPanelBytes();
            }
        }
    }

    /**
     * Turns each unit's scores into exponentials relative to the largest of them, and writes the statistics; in two loops over all units and
     * heads, for what one's steps wait for, another's can be done meanwhile. It is long enough for C2 to compile it by itself: its
     * caller would come to C2's limit with it.
     */
    private void softmax(Call call, int first, int end, float[] scores) {
        int group = call.shape().group();
        int statistics =
                call.partAt(first, 0) + MicroKernel.paddedCols(call.shape().headDim());
        int apart = call.partSize();
        FloatVector nothing = FloatVector.broadcast(SPECIES, Float.NEGATIVE_INFINITY);
        int to = statistics;
        int at = 0;
        for (int unit = first; unit < end; unit++) {
            int low = call.lowIn(unit);
            int high = call.highIn(unit);
            for (int member = 0; member < group; member++) {
                // What the query does not see counts for nothing.
                for (int i = 0; i < low; i++) {
                    scores[at + i] = Float.NEGATIVE_INFINITY;
                }
                for (int i = high; i < KEYS; i++) {
                    scores[at + i] = Float.NEGATIVE_INFINITY;
                }
                FloatVector largest = nothing;
                for (int i = at; i < at + KEYS; i += LANES) {
                    largest = VectorMath.larger(largest, FloatVector.fromArray(SPECIES, scores, i));
                }
                parts[to + LANES] = VectorMath.largest(largest);
                at += KEYS;
                to += apart;
            }
        }
        to = statistics;
        for (int from = 0; from < at; from += KEYS) {
            FloatVector largest = FloatVector.broadcast(SPECIES, parts[to + LANES]);
            FloatVector sum = FloatVector.zero(SPECIES);
            for (int i = from; i < from + KEYS; i += LANES) {
                FloatVector e = VectorMath.expUpTo87(
                        FloatVector.fromArray(SPECIES, scores, i).sub(largest));
                e.intoArray(scores, i);
                sum = e.add(sum);
            }
            sum.intoArray(parts, to);
            to += apart;
        }
    }

    /** Sums of the values, each times its exponential. */
    private void outputs(Call call, int first, int end, Scratch s) {
        int headDim = call.shape().headDim();
        int group = call.shape().group();
        MemorySegment values = call.values.segment();
        for (int unit = first; unit < end; unit++) {
            int at = (unit - first) * group * KEYS;
            long panel = call.headAt(unit);
            for (int d = 0; d < headDim; d += NR) {
                for (int member = 0; member < group; member += ROWS) {
                    int rows = Math.min(ROWS, group - member);
                    int to = call.partAt(unit, member) + d;
                    int from = at + member * KEYS;
                    tile(s.scores, from, KEYS, rows, values, panel, call.highIn(unit), parts, to, call.partSize());
                }
                panel += CacheLayout.valuePanelBytes();
            }
        }
    }

    /**
     * {@code c[rows, NR] = a[rows, depth] · b[depth, NR]} for up to ROWS rows. Of fewer rows the last one is computed several times: memory
     * sets the pace.
     */
    private static void tile(
            float[] a, int ao, int lda, int rows, MemorySegment b, long bo, int depth, float[] c, int co, int ldc) {
        int second = Math.min(1, rows - 1);
        int third = Math.min(2, rows - 1);
        int fourth = rows - 1;
        int a1 = ao + second * lda;
        int a2 = ao + third * lda;
        int a3 = ao + fourth * lda;
        FloatVector c00 = FloatVector.zero(SPECIES), c01 = c00, c10 = c00, c11 = c00;
        FloatVector c20 = c00, c21 = c00, c30 = c00, c31 = c00;
        long at = bo;
        for (int k = 0; k < depth; k++) {
            FloatVector b0 = Elements.load(b, at);
            FloatVector b1 = Elements.load(b, at + 4L * LANES);
            FloatVector x = FloatVector.broadcast(SPECIES, a[ao + k]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            x = FloatVector.broadcast(SPECIES, a[a1 + k]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            x = FloatVector.broadcast(SPECIES, a[a2 + k]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            x = FloatVector.broadcast(SPECIES, a[a3 + k]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
            at += 4L * NR;
        }
        c00.intoArray(c, co);
        c01.intoArray(c, co + LANES);
        c10.intoArray(c, co + second * ldc);
        c11.intoArray(c, co + second * ldc + LANES);
        c20.intoArray(c, co + third * ldc);
        c21.intoArray(c, co + third * ldc + LANES);
        c30.intoArray(c, co + fourth * ldc);
        c31.intoArray(c, co + fourth * ldc + LANES);
    }

    /** Puts together what the units found for a head, and writes it. */
    private void combine(Call call, int head, int units, Scratch s) {
        AttentionShape shape = call.shape();
        int padded = MicroKernel.paddedCols(shape.headDim());
        int at = call.partAt(head / shape.group(), head % shape.group());
        int apart = call.partAt(shape.kvHeads(), 0);
        int blocks = units / shape.kvHeads();
        float[] factors = s.factors(blocks);
        float max = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < blocks; i++) {
            factors[i] = parts[at + i * apart + padded + LANES];
            max = Math.max(max, factors[i]);
        }
        for (int i = 0; i < blocks; i += LANES) {
            VectorMath.expUpTo87(FloatVector.fromArray(SPECIES, factors, i).sub(max))
                    .intoArray(factors, i);
        }
        // The exponentials' sum lies behind the features.
        for (int d = 0; d <= padded; d += LANES) {
            FloatVector sum = FloatVector.zero(SPECIES);
            for (int i = 0; i < blocks; i++) {
                FloatVector factor = FloatVector.broadcast(SPECIES, factors[i]);
                sum = FloatVector.fromArray(SPECIES, parts, at + d + i * apart).fma(factor, sum);
            }
            sum.intoArray(s.output, d);
        }
        float sum = VectorMath.sum(FloatVector.fromArray(SPECIES, s.output, padded));
        long to = call.out.offset(call.row, (long) head * shape.headDim());
        Elements.writeRow(s.output, 0, shape.headDim(), call.out.segment(), to, 1 / sum, false);
        call.logSumExp.set(call.row, head, (float) (max + Math.log(sum)));
    }

    /** One worker's memory. */
    private static final class Scratch {
        /** {@code [heads, headDim]}, times the scale. */
        float[] queries = new float[0];
        /** {@code [unit, member of the group, KEYS]}. */
        float[] scores = new float[0];
        /** Of one head, then the lanes of the exponentials' sum. */
        float[] output = new float[0];
        /** Of each block, for what it found. */
        private float[] factors = new float[0];

        void ensure(AttentionShape shape, int units) {
            int width = Math.ceilDiv(shape.heads() * shape.headDim(), LANES) * LANES;
            int outputs = MicroKernel.paddedCols(shape.headDim()) + LANES;
            if (queries.length < width) {
                queries = new float[width];
            }
            if (output.length < outputs) {
                output = new float[outputs];
            }
            if (scores.length < units * shape.group() * KEYS) {
                scores = new float[units * shape.group() * KEYS];
            }
        }

        void loadQueries(Call call) {
            int width = call.shape().heads() * call.shape().headDim();
            KeyLayout.read(call.q, call.row, 0, width, queries, 0);
            for (int i = 0; i < width; i += LANES) {
                FloatVector.fromArray(SPECIES, queries, i)
                        .mul(call.shape().scale())
                        .intoArray(queries, i);
            }
        }

        /** Room for {@code count} blocks' factors, in whole vectors. */
        float[] factors(int count) {
            if (factors.length < count) {
                factors = new float[Math.ceilDiv(count, LANES) * LANES];
            }
            return factors;
        }
    }
}
