package io.github.rankine.tornado;

import static io.github.rankine.tornado.Reduction.GROUP;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Causal attention without its matrix of probabilities (Dao et al. 2022): a group for each query row and head, or key row and head, goes over
 * what that row sees a group's width at a time. Each thread sums up to four features of a head.
 *
 * <p>Parameters of all: heads, kvHeads, headDim, the scale's place among the scalars, where in the state the first and the end of what each row
 * sees stand; then each tensor's offset and stride.
 */
final class AttentionKernels {
    /** Features of the widest head. */
    static final int MAX_HEAD_DIM = 4 * GROUP;

    private static final float HIDDEN = -3.4e38f;

    private AttentionKernels() {}

    private static float dot(FloatArray a, int aAt, FloatArray b, int bAt, int count) {
        float sum = 0;
        for (int i = 0; i < count; i++) {
            sum += a.get(aAt + i) * b.get(bAt + i);
        }
        return sum;
    }

    /** Tensors: q, k, v, out, logSumExp. */
    static void forward(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        float[] weights = context.allocateFloatLocalArray(GROUP);
        int heads = layout.get(at);
        int headDim = layout.get(at + 2);
        float scale = scalars.get(layout.get(at + 3));
        int row = context.groupIdx / heads;
        int head = context.groupIdx % heads;
        int kvOffset = head / (heads / layout.get(at + 1)) * headDim;
        int thread = context.localIdx;
        int end = state.get(layout.get(at + 5) + row);
        int query = layout.get(at + 6) + row * layout.get(at + 7) + head * headDim;
        float max = HIDDEN;
        float sum = 0;
        float s0 = 0;
        float s1 = 0;
        float s2 = 0;
        float s3 = 0;
        for (int first = state.get(layout.get(at + 4) + row); first < end; first += GROUP) {
            int key = first + thread;
            float score = HIDDEN;
            if (key < end) {
                score = scale
                        * dot(floats, query, floats, layout.get(at + 8) + key * layout.get(at + 9) + kvOffset, headDim);
            }
            float larger = TornadoMath.max(max, Reduction.max(context, score));
            float weight = 0;
            if (key < end) {
                weight = TornadoMath.exp(score - larger);
            }
            weights[thread] = weight;
            // Before the first key there is nothing to shrink, and no exponential of a number that large.
            float shrink = 0;
            if (max > HIDDEN) {
                shrink = TornadoMath.exp(max - larger);
            }
            sum = sum * shrink + Reduction.sum(context, weight);
            s0 *= shrink;
            s1 *= shrink;
            s2 *= shrink;
            s3 *= shrink;
            int count = end - first;
            if (count > GROUP) {
                count = GROUP;
            }
            for (int i = 0; i < count; i++) {
                int value = layout.get(at + 10) + (first + i) * layout.get(at + 11) + kvOffset + thread;
                float w = weights[i];
                if (thread < headDim) {
                    s0 += w * floats.get(value);
                }
                if (thread + GROUP < headDim) {
                    s1 += w * floats.get(value + GROUP);
                }
                if (thread + 2 * GROUP < headDim) {
                    s2 += w * floats.get(value + 2 * GROUP);
                }
                if (thread + 3 * GROUP < headDim) {
                    s3 += w * floats.get(value + 3 * GROUP);
                }
            }
            max = larger;
            context.localBarrier();
        }
        int to = layout.get(at + 12) + row * layout.get(at + 13) + head * headDim + thread;
        put(floats, to, thread, headDim, s0 / sum, s1 / sum, s2 / sum, s3 / sum);
        if (thread == 0) {
            floats.set(layout.get(at + 14) + row * layout.get(at + 15) + head, max + TornadoMath.log(sum));
        }
    }

    private static void put(FloatArray out, int to, int thread, int headDim, float v0, float v1, float v2, float v3) {
        if (thread < headDim) {
            out.set(to, v0);
        }
        if (thread + GROUP < headDim) {
            out.set(to + GROUP, v1);
        }
        if (thread + 2 * GROUP < headDim) {
            out.set(to + 2 * GROUP, v2);
        }
        if (thread + 3 * GROUP < headDim) {
            out.set(to + 3 * GROUP, v3);
        }
    }

    /** A query row's gradient; tensors: q, k, v, out, logSumExp, dOut, dq. */
    static void queryBackward(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        float[] weights = context.allocateFloatLocalArray(GROUP);
        int heads = layout.get(at);
        int headDim = layout.get(at + 2);
        float scale = scalars.get(layout.get(at + 3));
        int row = context.groupIdx / heads;
        int head = context.groupIdx % heads;
        int kvOffset = head / (heads / layout.get(at + 1)) * headDim;
        int thread = context.localIdx;
        int end = state.get(layout.get(at + 5) + row);
        int query = layout.get(at + 6) + row * layout.get(at + 7) + head * headDim;
        int output = layout.get(at + 12) + row * layout.get(at + 13) + head * headDim;
        int gradient = layout.get(at + 16) + row * layout.get(at + 17) + head * headDim;
        float normaliser = floats.get(layout.get(at + 14) + row * layout.get(at + 15) + head);
        float product = 0;
        for (int i = thread; i < headDim; i += GROUP) {
            product += floats.get(output + i) * floats.get(gradient + i);
        }
        float delta = Reduction.sum(context, product);
        float s0 = 0;
        float s1 = 0;
        float s2 = 0;
        float s3 = 0;
        for (int first = state.get(layout.get(at + 4) + row); first < end; first += GROUP) {
            int key = first + thread;
            float weight = 0;
            if (key < end) {
                int keyAt = layout.get(at + 8) + key * layout.get(at + 9) + kvOffset;
                int valueAt = layout.get(at + 10) + key * layout.get(at + 11) + kvOffset;
                float probability = TornadoMath.exp(scale * dot(floats, query, floats, keyAt, headDim) - normaliser);
                weight = probability * (dot(floats, gradient, floats, valueAt, headDim) - delta) * scale;
            }
            weights[thread] = weight;
            context.localBarrier();
            int count = end - first;
            if (count > GROUP) {
                count = GROUP;
            }
            for (int i = 0; i < count; i++) {
                int keyAt = layout.get(at + 8) + (first + i) * layout.get(at + 9) + kvOffset + thread;
                float w = weights[i];
                if (thread < headDim) {
                    s0 += w * floats.get(keyAt);
                }
                if (thread + GROUP < headDim) {
                    s1 += w * floats.get(keyAt + GROUP);
                }
                if (thread + 2 * GROUP < headDim) {
                    s2 += w * floats.get(keyAt + 2 * GROUP);
                }
                if (thread + 3 * GROUP < headDim) {
                    s3 += w * floats.get(keyAt + 3 * GROUP);
                }
            }
            context.localBarrier();
        }
        int to = layout.get(at + 18) + row * layout.get(at + 19) + head * headDim + thread;
        put(floats, to, thread, headDim, s0, s1, s2, s3);
    }

    /**
     * The gradient of a row of keys or of values, from the queries of all heads that share it; tensors: q, k, v, out, logSumExp, dOut, then
     * what the sum is over (dOut for values, q for keys) and the result; last, whether it is the keys'.
     */
    static void keyBackward(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        float[] weights = context.allocateFloatLocalArray(GROUP);
        int kvHeads = layout.get(at + 1);
        int group = layout.get(at) / kvHeads;
        int headDim = layout.get(at + 2);
        float scale = scalars.get(layout.get(at + 3));
        int row = context.groupIdx / kvHeads;
        int kvHead = context.groupIdx % kvHeads;
        int thread = context.localIdx;
        int keyAt = layout.get(at + 8) + row * layout.get(at + 9) + kvHead * headDim;
        int valueAt = layout.get(at + 10) + row * layout.get(at + 11) + kvHead * headDim;
        int firstQuery = state.get(layout.get(at + 4) + row);
        int total = (state.get(layout.get(at + 5) + row) - firstQuery) * group;
        float s0 = 0;
        float s1 = 0;
        float s2 = 0;
        float s3 = 0;
        for (int first = 0; first < total; first += GROUP) {
            int index = first + thread;
            float weight = 0;
            if (index < total) {
                int query = firstQuery + index / group;
                int head = kvHead * group + index % group;
                int queryAt = layout.get(at + 6) + query * layout.get(at + 7) + head * headDim;
                float normaliser = floats.get(layout.get(at + 14) + query * layout.get(at + 15) + head);
                weight = TornadoMath.exp(scale * dot(floats, queryAt, floats, keyAt, headDim) - normaliser);
                if (layout.get(at + 22) == 1) {
                    int outAt = layout.get(at + 12) + query * layout.get(at + 13) + head * headDim;
                    int gradient = layout.get(at + 16) + query * layout.get(at + 17) + head * headDim;
                    float delta = dot(floats, outAt, floats, gradient, headDim);
                    weight *= (dot(floats, gradient, floats, valueAt, headDim) - delta) * scale;
                }
            }
            weights[thread] = weight;
            context.localBarrier();
            int count = total - first;
            if (count > GROUP) {
                count = GROUP;
            }
            for (int i = 0; i < count; i++) {
                int query = firstQuery + (first + i) / group;
                int head = kvHead * group + (first + i) % group;
                int from = layout.get(at + 18) + query * layout.get(at + 19) + head * headDim + thread;
                float w = weights[i];
                if (thread < headDim) {
                    s0 += w * floats.get(from);
                }
                if (thread + GROUP < headDim) {
                    s1 += w * floats.get(from + GROUP);
                }
                if (thread + 2 * GROUP < headDim) {
                    s2 += w * floats.get(from + 2 * GROUP);
                }
                if (thread + 3 * GROUP < headDim) {
                    s3 += w * floats.get(from + 3 * GROUP);
                }
            }
            context.localBarrier();
        }
        int to = layout.get(at + 20) + row * layout.get(at + 21) + kvHead * headDim + thread;
        put(floats, to, thread, headDim, s0, s1, s2, s3);
    }
}
