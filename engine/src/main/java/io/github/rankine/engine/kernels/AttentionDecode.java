package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Attention of a few queries to many keys, as in generation: each key is read once, so nothing is packed. A task takes a block of keys
 * with all heads, for their features lie side by side; what the blocks found is put together by head (Dao et al. 2023, "Flash-Decoding").
 */
final class AttentionDecode {
    /** Sequences with up to this many queries come here. */
    static final int MAX_QUERIES = 4;
    /** Keys of a task: few enough that a block of them stays in the first cache while all heads read it. */
    private static final int KEYS = 32;
    /** Bytes that memory is read in. */
    private static final int LINE = 64;
    /** Elements that one task puts together at least: less is not worth the hand-over. */
    private static final int COMBINED = 1 << 14;
    /** Blocks of keys that are enough to tell how fast they are read. */
    private static final int TELLING = 8;
    /** Beside a head's output, its largest score and the sum of its exponentials. */
    private static final int STATISTICS = 2;

    private final Workers workers;
    private final Scratch[] scratch;
    private final TaskTable tasks = new TaskTable();
    /** The second way is to fetch keys and values in four streams. */
    private final FasterWay ways = new FasterWay(TELLING);
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
        if (count == 0) {
            return;
        }
        boolean sideBySide = ways.second();
        long start = System.nanoTime();
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
            s.sideBySide = sideBySide;
            for (int query = 0; query < spans.queryCount()[sequences[item]]; query++) {
                attend(call, sequences[item], query, tasks.local(item, task), task, s);
            }
        });
        int pairs = Math.multiplyExact(count, shape.heads());
        int pairsOfTask = Math.max(1, COMBINED / Math.max(1, tasks.total() / count * shape.headDim()));
        workers.run(Math.ceilDiv(pairs, pairsOfTask), (task, worker) -> {
            scratch[worker].ensure(shape);
            for (int pair = task * pairsOfTask; pair < Math.min(pairs, (task + 1) * pairsOfTask); pair++) {
                int item = pair / shape.heads();
                int end = tasks.end(item);
                int first = end - Math.ceilDiv(spans.keyCount()[sequences[item]], KEYS);
                for (int query = 0; query < spans.queryCount()[sequences[item]]; query++) {
                    combine(call, sequences[item], query, pair % shape.heads(), first, end, scratch[worker]);
                }
            }
        });
        ways.took(sideBySide, tasks.total(), System.nanoTime() - start);
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
        s.fetch(call.k, key, keys, (long) shape.kvHeads() * headDim);
        for (int head = 0; head < shape.heads(); head++) {
            int col = head / shape.group() * headDim;
            dots(call.k, key, col, keys, s.queries, head * headDim, headDim, s.sums);
            for (int i = 0; i < keys; i += LANES) {
                VectorMath.sums(s.sums, i * LANES, s.scores, head * KEYS + i);
            }
        }
        // Loops of their own: what one head's steps wait for, another's can be done meanwhile.
        for (int head = 0; head < shape.heads(); head++) {
            parts[call.partAt(task, query, head) + headDim] = scale(s.scores, head * KEYS, keys, shape.scale());
        }
        for (int head = 0; head < shape.heads(); head++) {
            int at = call.partAt(task, query, head);
            parts[at + headDim + 1] = exponentials(s.scores, head * KEYS, parts[at + headDim]);
        }
        s.fetch(call.v, key, keys, (long) shape.kvHeads() * headDim);
        for (int head = 0; head < shape.heads(); head++) {
            int col = head / shape.group() * headDim;
            output(call.v, key, col, keys, s.scores, head * KEYS, headDim, parts, call.partAt(task, query, head));
        }
    }

    /**
     * For each key a vector whose lanes add up to its product with the query. A few features after the other, all keys each time: loops as
     * short as a head's features cost more than what they do.
     */
    private static void dots(
            Tensor k, long row, int col, int keys, float[] query, int from, int headDim, float[] sums) {
        Arrays.fill(sums, 0, keys * LANES, 0f);
        MemorySegment data = k.segment();
        long stride = 4 * k.stride();
        int d = 0;
        for (; d <= headDim - 4 * LANES; d += 4 * LANES) {
            fourVectorsOfDots(data, k.offset(row, col + d), stride, keys, query, from + d, sums);
        }
        for (; d <= headDim - LANES; d += LANES) {
            FloatVector q = FloatVector.fromArray(SPECIES, query, from + d);
            long at = k.offset(row, col + d);
            for (int i = 0; i < keys; i++) {
                FloatVector sum = FloatVector.fromArray(SPECIES, sums, i * LANES);
                Elements.load(data, at + i * stride).fma(q, sum).intoArray(sums, i * LANES);
            }
        }
        for (; d < headDim; d++) {
            long at = k.offset(row, col + d);
            for (int i = 0; i < keys; i++) {
                int lane = i * LANES + d % LANES;
                sums[lane] = Math.fma(Elements.get(data, at + i * stride), query[from + d], sums[lane]);
            }
        }
    }

    private static void fourVectorsOfDots(
            MemorySegment data, long at, long stride, int keys, float[] query, int from, float[] sums) {
        FloatVector q0 = FloatVector.fromArray(SPECIES, query, from);
        FloatVector q1 = FloatVector.fromArray(SPECIES, query, from + LANES);
        FloatVector q2 = FloatVector.fromArray(SPECIES, query, from + 2 * LANES);
        FloatVector q3 = FloatVector.fromArray(SPECIES, query, from + 3 * LANES);
        for (int i = 0; i < keys; i++) {
            long key = at + i * stride;
            FloatVector even = Elements.load(data, key).fma(q0, FloatVector.fromArray(SPECIES, sums, i * LANES));
            FloatVector odd = Elements.load(data, key + 4L * LANES).mul(q1);
            even = Elements.load(data, key + 8L * LANES).fma(q2, even);
            odd = Elements.load(data, key + 12L * LANES).fma(q3, odd);
            even.add(odd).intoArray(sums, i * LANES);
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

    /** {@code out = Σ weights[i] · v[row + i]}. */
    private static void output(
            Tensor v, long row, int col, int keys, float[] weights, int from, int headDim, float[] out, int to) {
        MemorySegment data = v.segment();
        long stride = 4 * v.stride();
        int d = 0;
        for (; d <= headDim - 4 * LANES; d += 4 * LANES) {
            fourVectorsOfOutput(data, v.offset(row, col + d), stride, keys, weights, from, out, to + d);
        }
        for (; d <= headDim - LANES; d += LANES) {
            FloatVector sum = FloatVector.zero(SPECIES);
            long at = v.offset(row, col + d);
            for (int i = 0; i < keys; i++) {
                FloatVector w = FloatVector.broadcast(SPECIES, weights[from + i]);
                sum = Elements.load(data, at + i * stride).fma(w, sum);
            }
            sum.intoArray(out, to + d);
        }
        for (; d < headDim; d++) {
            float sum = 0;
            long at = v.offset(row, col + d);
            for (int i = 0; i < keys; i++) {
                sum = Math.fma(weights[from + i], Elements.get(data, at + i * stride), sum);
            }
            out[to + d] = sum;
        }
    }

    private static void fourVectorsOfOutput(
            MemorySegment data, long at, long stride, int keys, float[] weights, int from, float[] out, int to) {
        FloatVector s0 = FloatVector.zero(SPECIES), s1 = s0, s2 = s0, s3 = s0;
        for (int i = 0; i < keys; i++) {
            long value = at + i * stride;
            FloatVector w = FloatVector.broadcast(SPECIES, weights[from + i]);
            s0 = Elements.load(data, value).fma(w, s0);
            s1 = Elements.load(data, value + 4L * LANES).fma(w, s1);
            s2 = Elements.load(data, value + 8L * LANES).fma(w, s2);
            s3 = Elements.load(data, value + 12L * LANES).fma(w, s3);
        }
        s0.intoArray(out, to);
        s1.intoArray(out, to + LANES);
        s2.intoArray(out, to + 2 * LANES);
        s3.intoArray(out, to + 3 * LANES);
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
        float[] sums = new float[KEYS * LANES];
        float[] output = new float[0];
        /** How {@link #fetch} reads. */
        boolean sideBySide;
        /** Read by nobody; keeps the compiler from leaving {@link #fetch} out. */
        @SuppressWarnings("UnusedVariable")
        private int fetched;

        void ensure(AttentionShape shape) {
            if (queries.length < shape.heads() * shape.headDim()) {
                queries = new float[shape.heads() * shape.headDim()];
                output = new float[queries.length];
            }
            if (scores.length < shape.heads() * KEYS) {
                scores = new float[shape.heads() * KEYS];
            }
        }

        /**
         * Brings all heads of some keys or values into the cache, in the order in which they lie or in four streams: reading them in
         * strides, a head after the other, would be reading memory in strides.
         */
        void fetch(Tensor x, long row, int rows, long cols) {
            int bytes = Math.toIntExact(4 * cols);
            int quarter = sideBySide ? rows / 4 : 0;
            long apart = 4L * quarter * x.stride();
            for (int i = 0; i < quarter; i++) {
                fetched += sumOfFour(x.segment(), x.offset(row + i, 0), apart, bytes);
            }
            for (int i = 4 * quarter; i < rows; i++) {
                fetched += sum(x.segment(), x.offset(row + i, 0), bytes);
            }
        }

        private static int sum(MemorySegment data, long at, int bytes) {
            int sum = 0;
            for (int i = 0; i <= bytes - Integer.BYTES; i += LINE) {
                sum += data.get(ValueLayout.JAVA_INT_UNALIGNED, at + i);
            }
            return sum;
        }

        private static int sumOfFour(MemorySegment data, long at, long apart, int bytes) {
            int sum = 0;
            for (int i = 0; i <= bytes - Integer.BYTES; i += LINE) {
                sum += data.get(ValueLayout.JAVA_INT_UNALIGNED, at + i);
                sum += data.get(ValueLayout.JAVA_INT_UNALIGNED, at + i + apart);
                sum += data.get(ValueLayout.JAVA_INT_UNALIGNED, at + i + 2 * apart);
                sum += data.get(ValueLayout.JAVA_INT_UNALIGNED, at + i + 3 * apart);
            }
            return sum;
        }
    }
}
