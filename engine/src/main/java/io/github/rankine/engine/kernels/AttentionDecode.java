package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/** Attention of a few queries to many keys, as in generation: each key is read once, so nothing is packed. A task is a head. */
final class AttentionDecode {
    /** Sequences with up to this many queries come here. */
    static final int MAX_QUERIES = 4;

    private final Workers workers;
    private final Scratch[] scratch;

    AttentionDecode(Workers workers) {
        this.workers = workers;
        scratch = new Scratch[workers.count()];
        for (int worker = 0; worker < scratch.length; worker++) {
            scratch[worker] = new Scratch();
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
        workers.run(Math.multiplyExact(count, shape.heads()), (task, worker) -> {
            int sequence = sequences[task / shape.heads()];
            int head = task % shape.heads();
            Scratch s = scratch[worker];
            s.ensure(shape.headDim(), spans.keyCount()[sequence]);
            for (int i = 0; i < spans.queryCount()[sequence]; i++) {
                int position = spans.position(sequence, i);
                int low = shape.firstKey(position);
                long row = (long) spans.queryStart()[sequence] + i;
                long key = (long) spans.keyStart()[sequence] + low;
                long col = (long) head * shape.headDim();
                long kvCol = (long) (head / shape.group()) * shape.headDim();
                KeyLayout.read(q, row, col, shape.headDim(), s.query, 0);
                int keys = position + 1 - low;
                float max = scores(k, key, kvCol, keys, s, shape);
                double sum = exponentials(s.scores, keys, max);
                output(v, key, kvCol, keys, s, shape.headDim());
                Elements.writeRow(
                        s.output, 0, shape.headDim(), out.segment(), out.offset(row, col), (float) (1 / sum), false);
                logSumExp.set(row, head, (float) (max + Math.log(sum)));
            }
        });
    }

    private static float scores(Tensor k, long key, long col, int keys, Scratch s, AttentionShape shape) {
        float max = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < keys; i++) {
            float score = shape.scale() * dot(s.query, k.segment(), k.offset(key + i, col), shape.headDim());
            s.scores[i] = score;
            max = Math.max(max, score);
        }
        return max;
    }

    private static float dot(float[] x, MemorySegment data, long at, int count) {
        FloatVector sum = FloatVector.zero(SPECIES);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            sum = FloatVector.fromArray(SPECIES, x, i).fma(Elements.load(data, at + 4L * i), sum);
        }
        float total = VectorMath.sum(sum);
        for (; i < count; i++) {
            total = Math.fma(x[i], Elements.get(data, at + 4L * i), total);
        }
        return total;
    }

    private static double exponentials(float[] scores, int count, float max) {
        Arrays.fill(scores, count, MicroKernel.paddedCols(count), Float.NEGATIVE_INFINITY);
        FloatVector sum = FloatVector.zero(SPECIES);
        for (int i = 0; i < count; i += LANES) {
            FloatVector e =
                    VectorMath.exp(FloatVector.fromArray(SPECIES, scores, i).sub(max));
            e.intoArray(scores, i);
            sum = sum.add(e);
        }
        return VectorMath.sum(sum);
    }

    private static void output(Tensor v, long key, long col, int keys, Scratch s, int headDim) {
        Arrays.fill(s.output, 0, headDim, 0f);
        for (int i = 0; i < keys; i++) {
            addScaled(s.scores[i], v.segment(), v.offset(key + i, col), s.output, headDim);
        }
    }

    private static void addScaled(float factor, MemorySegment data, long at, float[] out, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            Elements.load(data, at + 4L * i)
                    .fma(FloatVector.broadcast(SPECIES, factor), FloatVector.fromArray(SPECIES, out, i))
                    .intoArray(out, i);
        }
        for (; i < count; i++) {
            out[i] = Math.fma(factor, Elements.get(data, at + 4L * i), out[i]);
        }
    }

    /** One worker's memory; grows with the cache of keys. */
    private static final class Scratch {
        float[] query = new float[0];
        float[] output = new float[0];
        float[] scores = new float[0];

        void ensure(int headDim, int keys) {
            if (query.length < headDim) {
                query = new float[headDim];
                output = new float[headDim];
            }
            int padded = MicroKernel.paddedCols(keys);
            if (scores.length < padded) {
                scores = new float[Math.max(padded, 2 * scores.length)];
            }
        }
    }
}
