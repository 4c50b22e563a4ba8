package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Attention of a few queries to many keys, as in generation: each key is read once, so nothing is packed. A block is some keys
 * with all heads, for their features lie side by side; what the blocks found is put together by head (Dao et al. 2023, "Flash-Decoding").
 * A task is several blocks, for memory needs a while to come to full pace.
 */
final class AttentionDecode {
    /** Sequences with up to this many queries come here. */
    static final int MAX_QUERIES = 4;
    /** Keys of a block: few enough that they stay in the first cache while all heads read them. */
    private static final int KEYS = 32;
    /** Tasks of a call for each thread, so that all end together, or about. */
    private static final int TASKS = 2;
    /** Bytes of keys, or of values, that a task has at most: they stay in the second cache. */
    private static final int TASK_BYTES = 1 << 17;
    /** Bytes that memory is read in. */
    private static final int LINE = 64;
    /** Bytes of a vector. */
    private static final int BYTES = SPECIES.vectorByteSize();
    /** Elements that one task puts together at least: less is not worth the hand-over. */
    private static final int COMBINED = 1 << 14;
    /** Blocks that are enough to tell how fast they are read. */
    private static final int TELLING = 8;
    /** Beside a head's output, a vector of whose lanes the exponentials' sum is the sum, and the largest score. */
    private static final int STATISTICS = LANES + 1;

    private final Workers workers;
    private final Scratch[] scratch;
    private final TaskTable blocks = new TaskTable();
    private final TaskTable tasks = new TaskTable();
    /** The second way is to fetch keys and values in four streams. */
    private final FasterWay ways = new FasterWay(TELLING);
    /** {@code [block, query, head, headDim + STATISTICS]}. */
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

        int partAt(int block, int query, int head) {
            return ((block * MAX_QUERIES + query) * shape.heads() + head) * partSize();
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
        blocks.clear();
        for (int item = 0; item < count; item++) {
            blocks.add(Math.ceilDiv(spans.keyCount()[sequences[item]], KEYS));
        }
        int blocksOfTask = blocksOfTask(shape);
        tasks.clear();
        for (int item = 0; item < count; item++) {
            tasks.add(Math.ceilDiv(blocks.count(item), blocksOfTask));
        }
        int size = Math.multiplyExact(Math.multiplyExact(blocks.total(), MAX_QUERIES * shape.heads()), call.partSize());
        if (parts.length < size) {
            parts = new float[Math.max(size, (int) Math.min(2L * parts.length, Integer.MAX_VALUE - 8))];
        }
        workers.run(tasks.total(), (task, worker) -> {
            int item = tasks.item(task);
            Scratch s = scratch[worker];
            s.ensure(shape, blocksOfTask);
            s.sideBySide = sideBySide;
            int local = tasks.local(item, task);
            int first = firstBlock(item, local);
            int end = firstBlock(item, local + 1);
            int offset = blocks.end(item) - blocks.count(item);
            for (int query = 0; query < spans.queryCount()[sequences[item]]; query++) {
                attend(call, sequences[item], query, first, end, offset, s);
            }
        });
        int pairs = Math.multiplyExact(count, shape.heads());
        int pairsOfTask = Math.max(1, COMBINED / Math.max(1, blocks.total() / count * shape.headDim()));
        workers.run(Math.ceilDiv(pairs, pairsOfTask), (task, worker) -> {
            scratch[worker].ensure(shape, blocksOfTask);
            for (int pair = task * pairsOfTask; pair < Math.min(pairs, (task + 1) * pairsOfTask); pair++) {
                int item = pair / shape.heads();
                int end = blocks.end(item);
                int first = end - blocks.count(item);
                for (int query = 0; query < spans.queryCount()[sequences[item]]; query++) {
                    combine(call, sequences[item], query, pair % shape.heads(), first, end, scratch[worker]);
                }
            }
        });
        ways.took(sideBySide, blocks.total(), System.nanoTime() - start);
    }

    private int blocksOfTask(AttentionShape shape) {
        int blockBytes = Math.multiplyExact(4 * KEYS * shape.kvHeads(), shape.headDim());
        return Math.max(1, Math.min(Math.ceilDiv(blocks.total(), TASKS * workers.count()), TASK_BYTES / blockBytes));
    }

    /** Of an item's blocks the first one that its task {@code local} has. */
    private int firstBlock(int item, int local) {
        return (int) ((long) blocks.count(item) * local / tasks.count(item));
    }

    /** A query and the keys of blocks {@code [first, end)} of its sequence, whose first block is number {@code offset} of all. */
    private void attend(Call call, int sequence, int query, int first, int end, int offset, Scratch s) {
        AttentionShape shape = call.shape;
        int headDim = shape.headDim();
        int heads = shape.heads();
        int position = call.spans.position(sequence, query);
        int from = Math.max(shape.firstKey(position), first * KEYS);
        int to = Math.min(position + 1, end * KEYS);
        long row = call.spans.keyStart()[sequence];
        KeyLayout.read(call.q, (long) call.spans.queryStart()[sequence] + query, 0, heads * headDim, s.queries, 0);
        s.fetch(call.k, row + from, to - from);
        for (int block = first; block < end; block++) {
            int key = Math.max(from, block * KEYS);
            int keys = Math.min(to, (block + 1) * KEYS) - key;
            int scores = (block - first) * heads * KEYS;
            if (keys <= 0) {
                setEmpty(call, offset + block, query);
                continue;
            }
            for (int head = 0; head < heads; head++) {
                int col = head / shape.group() * headDim;
                dots(call.k, row + key, col, keys, s.queries, head * headDim, headDim, s.sums);
                for (int i = 0; i < keys; i += LANES) {
                    VectorMath.sums(s.sums, i * LANES, s.scores, scores + head * KEYS + i);
                }
            }
            softmax(call, offset + block, query, keys, s.scores, scores);
        }
        s.fetch(call.v, row + from, to - from);
        for (int block = first; block < end; block++) {
            int key = Math.max(from, block * KEYS);
            int keys = Math.min(to, (block + 1) * KEYS) - key;
            int scores = (block - first) * heads * KEYS;
            for (int head = 0; head < heads && keys > 0; head++) {
                int col = head / shape.group() * headDim;
                int part = call.partAt(offset + block, query, head);
                output(call.v, row + key, col, keys, s.scores, scores + head * KEYS, headDim, parts, part);
            }
        }
    }

    /** A block none of whose keys the query sees. */
    private void setEmpty(Call call, int block, int query) {
        for (int head = 0; head < call.shape.heads(); head++) {
            int part = call.partAt(block, query, head);
            Arrays.fill(parts, part, part + call.partSize(), 0f);
            parts[part + call.partSize() - 1] = Float.NEGATIVE_INFINITY;
        }
    }

    /**
     * For each key a vector whose lanes add up to its product with the query. A few features after the other, all keys each time: loops as
     * short as a head's features cost more than what they do.
     */
    private static void dots(
            Tensor k, long row, int col, int keys, float[] query, int from, int headDim, float[] sums) {
        MemorySegment data = k.segment();
        long stride = 4 * k.stride();
        int d = 0;
        if (headDim >= 4 * LANES) {
            FloatVector q0 = FloatVector.fromArray(SPECIES, query, from);
            FloatVector q1 = FloatVector.fromArray(SPECIES, query, from + LANES);
            FloatVector q2 = FloatVector.fromArray(SPECIES, query, from + 2 * LANES);
            FloatVector q3 = FloatVector.fromArray(SPECIES, query, from + 3 * LANES);
            long at = k.offset(row, col);
            for (int i = 0; i < keys; i++) {
                long key = at + i * stride;
                FloatVector even = Elements.load(data, key).mul(q0);
                FloatVector odd = Elements.load(data, key + 4L * LANES).mul(q1);
                even = Elements.load(data, key + 8L * LANES).fma(q2, even);
                odd = Elements.load(data, key + 12L * LANES).fma(q3, odd);
                even.add(odd).intoArray(sums, i * LANES);
            }
            d = 4 * LANES;
        } else {
            Arrays.fill(sums, 0, keys * LANES, 0f);
        }
        for (; d <= headDim - 4 * LANES; d += 4 * LANES) {
            FloatVector q0 = FloatVector.fromArray(SPECIES, query, from + d);
            FloatVector q1 = FloatVector.fromArray(SPECIES, query, from + d + LANES);
            FloatVector q2 = FloatVector.fromArray(SPECIES, query, from + d + 2 * LANES);
            FloatVector q3 = FloatVector.fromArray(SPECIES, query, from + d + 3 * LANES);
            long at = k.offset(row, col + d);
            for (int i = 0; i < keys; i++) {
                long key = at + i * stride;
                FloatVector even = Elements.load(data, key).fma(q0, FloatVector.fromArray(SPECIES, sums, i * LANES));
                FloatVector odd = Elements.load(data, key + 4L * LANES).mul(q1);
                even = Elements.load(data, key + 8L * LANES).fma(q2, even);
                odd = Elements.load(data, key + 12L * LANES).fma(q3, odd);
                even.add(odd).intoArray(sums, i * LANES);
            }
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

    /**
     * Turns each head's scores into exponentials relative to the largest of them, and writes the statistics; in loops over all heads, for
     * what one head's steps wait for, another's can be done meanwhile. Like its neighbours it is long enough for C2 to compile it by itself:
     * their caller would come to C2's limit with all of them.
     */
    private void softmax(Call call, int block, int query, int keys, float[] scores, int first) {
        int heads = call.shape.heads();
        int statistics = call.partAt(block, query, 0) + call.shape.headDim();
        int apart = call.partSize();
        FloatVector scale = FloatVector.broadcast(SPECIES, call.shape.scale());
        FloatVector nothing = FloatVector.broadcast(SPECIES, Float.NEGATIVE_INFINITY);
        for (int head = 0; head < heads; head++) {
            int at = first + head * KEYS;
            // What lies behind the keys counts for nothing.
            for (int i = at + keys; i < at + KEYS; i++) {
                scores[i] = Float.NEGATIVE_INFINITY;
            }
            FloatVector largest = nothing;
            for (int i = at; i < at + KEYS; i += LANES) {
                FloatVector scaled = FloatVector.fromArray(SPECIES, scores, i).mul(scale);
                scaled.intoArray(scores, i);
                largest = VectorMath.larger(largest, scaled);
            }
            parts[statistics + head * apart + LANES] = VectorMath.largest(largest);
        }
        for (int head = 0; head < heads; head++) {
            int to = statistics + head * apart;
            FloatVector largest = FloatVector.broadcast(SPECIES, parts[to + LANES]);
            FloatVector sum = FloatVector.zero(SPECIES);
            for (int i = first + head * KEYS; i < first + (head + 1) * KEYS; i += LANES) {
                FloatVector e = VectorMath.expUpTo87(
                        FloatVector.fromArray(SPECIES, scores, i).sub(largest));
                e.intoArray(scores, i);
                sum = e.add(sum);
            }
            sum.intoArray(parts, to);
        }
    }

    /** {@code out = Σ weights[i] · v[row + i]}. */
    private static void output(
            Tensor v, long row, int col, int keys, float[] weights, int from, int headDim, float[] out, int to) {
        MemorySegment data = v.segment();
        long stride = 4 * v.stride();
        int d = 0;
        for (; d <= headDim - 4 * LANES; d += 4 * LANES) {
            FloatVector s0 = FloatVector.zero(SPECIES), s1 = s0, s2 = s0, s3 = s0;
            long at = v.offset(row, col + d);
            for (int i = 0; i < keys; i++) {
                long value = at + i * stride;
                FloatVector w = FloatVector.broadcast(SPECIES, weights[from + i]);
                s0 = Elements.load(data, value).fma(w, s0);
                s1 = Elements.load(data, value + 4L * LANES).fma(w, s1);
                s2 = Elements.load(data, value + 8L * LANES).fma(w, s2);
                s3 = Elements.load(data, value + 12L * LANES).fma(w, s3);
            }
            s0.intoArray(out, to + d);
            s1.intoArray(out, to + d + LANES);
            s2.intoArray(out, to + d + 2 * LANES);
            s3.intoArray(out, to + d + 3 * LANES);
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

    /** Puts together what the blocks found for a head, and writes it. */
    private void combine(Call call, int sequence, int query, int head, int first, int end, Scratch s) {
        int headDim = call.shape.headDim();
        int at = call.partAt(first, query, head);
        int apart = call.partAt(1, 0, 0);
        int blocks = end - first;
        float[] factors = s.factors(blocks);
        float max = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < blocks; i++) {
            factors[i] = parts[at + i * apart + headDim + LANES];
            max = Math.max(max, factors[i]);
        }
        for (int i = 0; i < blocks; i += LANES) {
            VectorMath.expUpTo87(FloatVector.fromArray(SPECIES, factors, i).sub(max))
                    .intoArray(factors, i);
        }
        // What a last vector of features has beyond them is overwritten by the lanes of the sum.
        for (int d = 0; d < headDim; d += LANES) {
            weightedSum(at + d, apart, blocks, factors, s.output, d);
        }
        weightedSum(at + headDim, apart, blocks, factors, s.output, headDim);
        float sum = VectorMath.sum(FloatVector.fromArray(SPECIES, s.output, headDim));
        long row = (long) call.spans.queryStart()[sequence] + query;
        long to = call.out.offset(row, (long) head * headDim);
        Elements.writeRow(s.output, 0, headDim, call.out.segment(), to, 1 / sum, false);
        call.logSumExp.set(row, head, (float) (max + Math.log(sum)));
    }

    /** A vector of {@code out}: the blocks' vectors, which lie {@code apart} from {@code from} on, each times its factor. */
    private void weightedSum(int from, int apart, int blocks, float[] factors, float[] out, int to) {
        FloatVector sum = FloatVector.zero(SPECIES);
        for (int i = 0; i < blocks; i++) {
            FloatVector factor = FloatVector.broadcast(SPECIES, factors[i]);
            sum = FloatVector.fromArray(SPECIES, parts, from + i * apart).fma(factor, sum);
        }
        sum.intoArray(out, to);
    }

    /** One worker's memory. */
    private static final class Scratch {
        float[] queries = new float[0];
        float[] scores = new float[0];
        float[] sums = new float[KEYS * LANES];
        float[] output = new float[0];
        /** Of each block, for what it found. */
        private float[] factors = new float[0];
        /** How {@link #fetch} reads. */
        boolean sideBySide;
        /** Read by nobody; keeps the compiler from leaving {@link #fetch} out. */
        @SuppressWarnings("UnusedVariable")
        private float fetched;

        void ensure(AttentionShape shape, int blocks) {
            if (queries.length < shape.heads() * shape.headDim()) {
                queries = new float[shape.heads() * shape.headDim()];
            }
            if (output.length < shape.headDim() + LANES) {
                output = new float[shape.headDim() + LANES];
            }
            if (scores.length < blocks * shape.heads() * KEYS) {
                scores = new float[blocks * shape.heads() * KEYS];
            }
        }

        /** Room for {@code count} blocks' factors, in whole vectors. */
        float[] factors(int count) {
            if (factors.length < count) {
                factors = new float[Math.ceilDiv(count, LANES) * LANES];
            }
            return factors;
        }

        /**
         * Brings all heads of some keys or values into the cache, in the order in which they lie or in four streams: reading them in
         * strides, a head after the other, would be reading memory in strides. Rows with something else between them are left where they are.
         */
        void fetch(Tensor x, long row, int rows) {
            if (x.stride() != x.cols()) {
                return;
            }
            long from = x.offset(row, 0);
            long bytes = x.offset(row + rows - 1, x.cols()) - from;
            long quarter = sideBySide ? bytes / (4 * LINE) * LINE : 0;
            fetched = sumOfFour(x.segment(), from, quarter) + sum(x.segment(), from + 4 * quarter, bytes - 4 * quarter);
        }

        private static float sum(MemorySegment data, long from, long bytes) {
            FloatVector sum = FloatVector.zero(SPECIES);
            for (long at = from; at <= from + bytes - BYTES; at += BYTES) {
                sum = Elements.load(data, at).add(sum);
            }
            return sum.lane(0);
        }

        private static float sumOfFour(MemorySegment data, long from, long apart) {
            FloatVector a = FloatVector.zero(SPECIES), b = a, c = a, d = a;
            for (long at = from; at < from + apart; at += BYTES) {
                a = Elements.load(data, at).add(a);
                b = Elements.load(data, at + apart).add(b);
                c = Elements.load(data, at + 2 * apart).add(c);
                d = Elements.load(data, at + 3 * apart).add(d);
            }
            return a.add(b).add(c).add(d).lane(0);
        }
    }
}
