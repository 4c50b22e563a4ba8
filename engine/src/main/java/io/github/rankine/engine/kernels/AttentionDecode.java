package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Attention of a few queries to many keys, as in generation: each key is read once, so nothing is packed. A task takes a block of keys
 * with all heads, for their features lie side by side; what the blocks found is put together by head (Dao et al. 2023, "Flash-Decoding").
 */
final class AttentionDecode {
    /** Sequences with up to this many queries come here. */
    static final int MAX_QUERIES = 4;
    /** Keys of a task. */
    private static final int KEYS = 64;
    /** Beside a head's output, its largest score and the sum of its exponentials. */
    private static final int STATISTICS = 2;

    private final Workers workers;
    private final Scratch[] scratch;
    private final TaskTable tasks = new TaskTable();
    /** {@code [task, query, head, headDim + STATISTICS]}. */
    private float[] parts = new float[0];

    AttentionDecode(Workers workers) {
        this.workers = workers;
        scratch = new Scratch[workers.count()];
        for (int worker = 0; worker < scratch.length; worker++) {
            scratch[worker] = new Scratch();
        }
    }

    /** The tensors of one call. */
    private record Call(
            Tensor q, Tensor k, Tensor v, AttentionSpans spans, AttentionShape shape, Tensor out, Tensor logSumExp) {
        int partSize() {
            return shape.headDim() + STATISTICS;
        }

        int partAt(int task, int query, int head) {
            return ((task * MAX_QUERIES + query) * shape.heads() + head) * partSize();
        }
    }

    /** Attends in the sequences numbered {@code sequences[0 … count)}. */
    void run(
            Tensor q,
            Tensor k,
            Tensor v,
            AttentionSpans spans,
            AttentionShape shape,
            Tensor out,
            Tensor logSumExp,
            int[] sequences,
            int count) {
        Call call = new Call(q, k, v, spans, shape, out, logSumExp);
        tasks.clear();
        for (int item = 0; item < count; item++) {
            tasks.add(Math.ceilDiv(spans.keyCount()[sequences[item]], KEYS));
        }
        int size = Math.multiplyExact(Math.multiplyExact(tasks.total(), MAX_QUERIES * shape.heads()), call.partSize());
        if (parts.length < size) {
            parts = new float[Math.max(size, (int) Math.min(2L * parts.length, Integer.MAX_VALUE - 8))];
        }
        workers.run(tasks.total(), (task, worker) -> {
            int item = tasks.item(task);
            Scratch s = scratch[worker];
            s.ensure(shape);
            for (int query = 0; query < spans.queryCount()[sequences[item]]; query++) {
                attend(call, sequences[item], query, tasks.local(item, task), task, s);
            }
        });
        workers.run(Math.multiplyExact(count, shape.heads()), (task, worker) -> {
            int item = task / shape.heads();
            int end = tasks.end(item);
            scratch[worker].ensure(shape);
            int first = end - Math.ceilDiv(spans.keyCount()[sequences[item]], KEYS);
            for (int query = 0; query < spans.queryCount()[sequences[item]]; query++) {
                combine(call, sequences[item], query, task % shape.heads(), first, end, scratch[worker]);
            }
        });
    }

    private void attend(Call call, int sequence, int query, int block, int task, Scratch s) {
        AttentionShape shape = call.shape;
        int headDim = shape.headDim();
        int position = call.spans.position(sequence, query);
        int from = Math.max(shape.firstKey(position), block * KEYS);
        int keys = Math.min(position + 1, (block + 1) * KEYS) - from;
        if (keys <= 0) {
            for (int head = 0; head < shape.heads(); head++) {
                int at = call.partAt(task, query, head);
                Arrays.fill(parts, at, at + call.partSize(), 0f);
                parts[at + headDim] = Float.NEGATIVE_INFINITY;
            }
            return;
        }
        long key = (long) call.spans.keyStart()[sequence] + from;
        KeyLayout.read(
                call.q, (long) call.spans.queryStart()[sequence] + query, 0, shape.heads() * headDim, s.queries, 0);
        int width = shape.kvHeads() * headDim;
        read(call.k, key, keys, width, s.rows);
        for (int head = 0; head < shape.heads(); head++) {
            int col = head / shape.group() * headDim;
            RowDots.run(s.rows, col, width, keys, s.queries, head * headDim, headDim, s.scores, head * KEYS);
            int at = call.partAt(task, query, head);
            float max = scale(s.scores, head * KEYS, keys, shape.scale());
            parts[at + headDim] = max;
            parts[at + headDim + 1] = exponentials(s.scores, head * KEYS, max);
        }
        read(call.v, key, keys, width, s.rows);
        for (int head = 0; head < shape.heads(); head++) {
            int col = head / shape.group() * headDim;
            output(s.rows, col, width, keys, s.scores, head * KEYS, headDim, parts, call.partAt(task, query, head));
        }
    }

    /** All heads of a block of keys or values, one after another as they lie in memory. */
    private static void read(Tensor x, long row, int rows, int width, float[] out) {
        for (int i = 0; i < rows; i++) {
            KeyLayout.read(x, row + i, 0, width, out, i * width);
        }
    }

    /** Scales the scores and returns the largest; what lies behind them becomes −∞. */
    private static float scale(float[] scores, int at, int keys, float factor) {
        Arrays.fill(scores, at + keys, at + KEYS, Float.NEGATIVE_INFINITY);
        FloatVector largest = FloatVector.broadcast(SPECIES, Float.NEGATIVE_INFINITY);
        for (int i = at; i < at + KEYS; i += LANES) {
            FloatVector scaled = FloatVector.fromArray(SPECIES, scores, i).mul(factor);
            scaled.intoArray(scores, i);
            largest = VectorMath.larger(largest, scaled);
        }
        return VectorMath.largest(largest);
    }

    private static float exponentials(float[] scores, int at, float max) {
        FloatVector sum = FloatVector.zero(SPECIES);
        for (int i = at; i < at + KEYS; i += LANES) {
            FloatVector e =
                    VectorMath.exp(FloatVector.fromArray(SPECIES, scores, i).sub(max));
            e.intoArray(scores, i);
            sum = sum.add(e);
        }
        return VectorMath.sum(sum);
    }

    /** Two vectors of the output at a time, for even and for odd keys. */
    private static void output(
            float[] values, int at, int width, int keys, float[] weights, int from, int headDim, float[] out, int to) {
        int d = 0;
        for (; d <= headDim - 2 * LANES; d += 2 * LANES) {
            twoVectors(values, at + d, width, keys, weights, from, out, to + d);
        }
        for (; d < headDim; d++) {
            float sum = 0;
            for (int i = 0; i < keys; i++) {
                sum = Math.fma(weights[from + i], values[at + i * width + d], sum);
            }
            out[to + d] = sum;
        }
    }

    private static void twoVectors(
            float[] values, int at, int width, int keys, float[] weights, int from, float[] out, int to) {
        FloatVector even0 = FloatVector.zero(SPECIES), even1 = even0, odd0 = even0, odd1 = even0;
        int i = 0;
        for (; i < keys - 1; i += 2) {
            int row = at + i * width;
            FloatVector w = FloatVector.broadcast(SPECIES, weights[from + i]);
            even0 = FloatVector.fromArray(SPECIES, values, row).fma(w, even0);
            even1 = FloatVector.fromArray(SPECIES, values, row + LANES).fma(w, even1);
            w = FloatVector.broadcast(SPECIES, weights[from + i + 1]);
            odd0 = FloatVector.fromArray(SPECIES, values, row + width).fma(w, odd0);
            odd1 = FloatVector.fromArray(SPECIES, values, row + width + LANES).fma(w, odd1);
        }
        if (i < keys) {
            int row = at + i * width;
            FloatVector w = FloatVector.broadcast(SPECIES, weights[from + i]);
            even0 = FloatVector.fromArray(SPECIES, values, row).fma(w, even0);
            even1 = FloatVector.fromArray(SPECIES, values, row + LANES).fma(w, even1);
        }
        even0.add(odd0).intoArray(out, to);
        even1.add(odd1).intoArray(out, to + LANES);
    }

    private void combine(Call call, int sequence, int query, int head, int first, int end, Scratch s) {
        int headDim = call.shape.headDim();
        float max = Float.NEGATIVE_INFINITY;
        for (int task = first; task < end; task++) {
            max = Math.max(max, parts[call.partAt(task, query, head) + headDim]);
        }
        Arrays.fill(s.output, 0, headDim, 0f);
        double sum = 0;
        for (int task = first; task < end; task++) {
            int at = call.partAt(task, query, head);
            float factor = (float) Math.exp(parts[at + headDim] - max);
            sum += (double) factor * parts[at + headDim + 1];
            for (int d = 0; d < headDim; d++) {
                s.output[d] = Math.fma(factor, parts[at + d], s.output[d]);
            }
        }
        long row = (long) call.spans.queryStart()[sequence] + query;
        long at = call.out.offset(row, (long) head * headDim);
        Elements.writeRow(s.output, 0, headDim, call.out.segment(), at, (float) (1 / sum), false);
        call.logSumExp.set(row, head, (float) (max + Math.log(sum)));
    }

    /** One worker's memory. */
    private static final class Scratch {
        float[] queries = new float[0];
        float[] scores = new float[0];
        float[] output = new float[0];
        /** A block of keys, then of values, {@code [KEYS, kvHeads · headDim]}. */
        float[] rows = new float[0];

        void ensure(AttentionShape shape) {
            if (queries.length < shape.heads() * shape.headDim()) {
                queries = new float[shape.heads() * shape.headDim()];
                output = new float[queries.length];
            }
            if (rows.length < KEYS * shape.kvHeads() * shape.headDim()) {
                rows = new float[KEYS * shape.kvHeads() * shape.headDim()];
            }
            if (scores.length < shape.heads() * KEYS) {
                scores = new float[shape.heads() * KEYS];
            }
        }
    }
}
