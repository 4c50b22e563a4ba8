package io.github.rankine.tornado;

import io.github.rankine.engine.kernels.Dropout;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Element by element, a thread each. Parameters begin with the number of elements and of columns; a tensor is its offset and its stride.
 */
final class PointwiseKernels {
    private PointwiseKernels() {}

    private static int place(IntArray layout, int tensor, int cols, int i) {
        return layout.get(tensor) + i / cols * layout.get(tensor + 1) + i % cols;
    }

    /** {@code y (+)= alpha · x}; parameters: x, y, alpha, whether to accumulate. */
    static void scale(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int i = context.globalIdx;
        if (i < layout.get(at)) {
            int cols = layout.get(at + 1);
            float value = floats.get(place(layout, at + 2, cols, i)) * scalars.get(layout.get(at + 6));
            int to = place(layout, at + 4, cols, i);
            if (layout.get(at + 7) == 1) {
                value += floats.get(to);
            }
            floats.set(to, value);
        }
    }

    /** {@code y = 0}; parameters: y. */
    static void clear(KernelContext context, IntArray state, IntArray layout, FloatArray floats, IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int i = context.globalIdx;
        if (i < layout.get(at)) {
            floats.set(place(layout, at + 2, layout.get(at + 1), i), 0f);
        }
    }

    /** {@code y += bias}; parameters: y, the bias as a weight. */
    static void addBias(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray words,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int i = context.globalIdx;
        if (i < layout.get(at)) {
            int cols = layout.get(at + 1);
            int to = place(layout, at + 2, cols, i);
            floats.set(to, floats.get(to) + Stored.at(floats, words, scalars, layout, at + 4, i % cols));
        }
    }

    private static float sigmoid(float x) {
        // The exponential of what is not positive: a device's may give no number where it overflows.
        float e = TornadoMath.exp(-TornadoMath.abs(x));
        float smaller = e / (1f + e);
        return x < 0 ? smaller : 1f / (1f + e);
    }

    /** {@code y = silu(gate) · up}; parameters: gate, up, y. */
    static void swiglu(KernelContext context, IntArray state, IntArray layout, FloatArray floats, IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int i = context.globalIdx;
        if (i < layout.get(at)) {
            int cols = layout.get(at + 1);
            float g = floats.get(place(layout, at + 2, cols, i));
            floats.set(place(layout, at + 6, cols, i), g * sigmoid(g) * floats.get(place(layout, at + 4, cols, i)));
        }
    }

    /** Parameters: gate, up, dy, dGate, dUp. */
    static void swigluBackward(
            KernelContext context, IntArray state, IntArray layout, FloatArray floats, IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int i = context.globalIdx;
        if (i < layout.get(at)) {
            int cols = layout.get(at + 1);
            float g = floats.get(place(layout, at + 2, cols, i));
            float u = floats.get(place(layout, at + 4, cols, i));
            float d = floats.get(place(layout, at + 6, cols, i));
            float s = sigmoid(g);
            floats.set(place(layout, at + 8, cols, i), d * u * s * (1f + g * sigmoid(-g)));
            floats.set(place(layout, at + 10, cols, i), d * g * s);
        }
    }

    private static float tanhOf(float x) {
        float t = TornadoMath.exp(-2f * TornadoMath.abs(x));
        float y = (1f - t) / (1f + t);
        return x < 0 ? -y : y;
    }

    /** Half of one plus the error function of {@code x/√2} (Abramowitz and Stegun 7.1.26: within 1e-7). */
    private static float normalDistribution(float x) {
        float z = TornadoMath.abs(x) * 0.70710678f;
        float t = 1f / (1f + 0.3275911f * z);
        float p = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t;
        float tail = 0.5f * p * TornadoMath.exp(-z * z);
        return x < 0 ? tail : 1f - tail;
    }

    private static float tanhArgument(float x) {
        return 0.7978845608f * (x + 0.044715f * x * x * x);
    }

    /** Parameters: x, y, whether to approximate with tanh. */
    static void gelu(KernelContext context, IntArray state, IntArray layout, FloatArray floats, IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int i = context.globalIdx;
        if (i < layout.get(at)) {
            int cols = layout.get(at + 1);
            float v = floats.get(place(layout, at + 2, cols, i));
            float share;
            if (layout.get(at + 6) == 1) {
                share = sigmoid(2f * tanhArgument(v));
            } else {
                share = normalDistribution(v);
            }
            floats.set(place(layout, at + 4, cols, i), v * share);
        }
    }

    /** Parameters: x, dy, dx, whether to approximate with tanh, whether to accumulate. */
    static void geluBackward(KernelContext context, IntArray state, IntArray layout, FloatArray floats, IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int i = context.globalIdx;
        if (i < layout.get(at)) {
            int cols = layout.get(at + 1);
            float v = floats.get(place(layout, at + 2, cols, i));
            float slope;
            if (layout.get(at + 8) == 1) {
                float u = tanhArgument(v);
                // One minus the square of tanh, without their difference.
                float e = TornadoMath.exp(-2f * TornadoMath.abs(u));
                float square = 4f * e / ((1f + e) * (1f + e));
                slope = sigmoid(2f * u) + 0.5f * v * square * 0.7978845608f * (1f + 3f * 0.044715f * v * v);
            } else {
                slope = normalDistribution(v) + v * 0.3989422804f * TornadoMath.exp(-0.5f * v * v);
            }
            float value = slope * floats.get(place(layout, at + 4, cols, i));
            int to = place(layout, at + 6, cols, i);
            if (layout.get(at + 9) == 1) {
                value += floats.get(to);
            }
            floats.set(to, value);
        }
    }

    /** Parameters: x, y. A kernel's name is its function's on the device, where tanh itself is taken. */
    static void hyperbolicTangent(
            KernelContext context, IntArray state, IntArray layout, FloatArray floats, IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int i = context.globalIdx;
        if (i < layout.get(at)) {
            int cols = layout.get(at + 1);
            floats.set(place(layout, at + 4, cols, i), tanhOf(floats.get(place(layout, at + 2, cols, i))));
        }
    }

    /** Parameters: y, dy, dx. */
    static void tanhBackward(KernelContext context, IntArray state, IntArray layout, FloatArray floats, IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int i = context.globalIdx;
        if (i < layout.get(at)) {
            int cols = layout.get(at + 1);
            float v = floats.get(place(layout, at + 2, cols, i));
            floats.set(place(layout, at + 6, cols, i), floats.get(place(layout, at + 4, cols, i)) * (1f - v * v));
        }
    }

    /**
     * Dropout by hashing, as {@link Dropout} has it; parameters: x, y, where the seed's upper and lower half and the threshold are in the
     * state, where the scale is among the scalars, whether to accumulate. OpenCL code shifts signed, hence the masks.
     */
    static void dropout(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int i = context.globalIdx;
        if (i < layout.get(at)) {
            int cols = layout.get(at + 1);
            int seedAt = layout.get(at + 6);
            long upper = state.get(seedAt);
            long lower = state.get(seedAt + 1);
            long threshold = state.get(seedAt + 2);
            long z = (upper << 32) + (lower & 0xFFFFFFFFL) + Dropout.GOLDEN_GAMMA * ((long) i + 1L);
            z = (z ^ ((z >> 30) & 0x3FFFFFFFFL)) * Dropout.MIX_1;
            z = (z ^ ((z >> 27) & 0x1FFFFFFFFFL)) * Dropout.MIX_2;
            z = z ^ ((z >> 31) & 0x1FFFFFFFFL);
            float value = 0f;
            if (((z >> 40) & 0xFFFFFFL) >= threshold) {
                value = floats.get(place(layout, at + 2, cols, i)) * scalars.get(layout.get(at + 7));
            }
            int to = place(layout, at + 4, cols, i);
            if (layout.get(at + 8) == 1) {
                value += floats.get(to);
            }
            floats.set(to, value);
        }
    }

    /** Rotates a pair in place, a thread a pair; parameters: pairs, pairs of a row, x, headDim, inverse, the positions in the state, the table as a weight, its
     * stride. */
    static void rotary(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray words,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int i = context.globalIdx;
        if (i < layout.get(at)) {
            int pairs = layout.get(at + 1);
            int headDim = layout.get(at + 4);
            int half = headDim / 2;
            int row = i / pairs;
            int head = i % pairs / half;
            int pair = i % pairs % half;
            int position = state.get(layout.get(at + 6) + row);
            float cos = Stored.at(floats, words, scalars, layout, at + 7, position * layout.get(at + 11) + pair);
            float sin = Stored.at(floats, words, scalars, layout, at + 7, position * layout.get(at + 11) + half + pair);
            if (layout.get(at + 5) == 1) {
                sin = -sin;
            }
            int first = layout.get(at + 2) + row * layout.get(at + 3) + head * headDim + pair;
            float a = floats.get(first);
            float b = floats.get(first + half);
            floats.set(first, a * cos - b * sin);
            floats.set(first + half, b * cos + a * sin);
        }
    }

    /** {@code y = (x − bias) · factors + bias}; parameters: x, factors, y, whether there is a bias, the bias. */
    static void rescale(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray words,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int i = context.globalIdx;
        if (i < layout.get(at)) {
            int cols = layout.get(at + 1);
            float shift = 0f;
            if (layout.get(at + 8) == 1) {
                shift = Stored.at(floats, words, scalars, layout, at + 9, i % cols);
            }
            float value = floats.get(place(layout, at + 2, cols, i)) - shift;
            floats.set(place(layout, at + 6, cols, i), value * floats.get(layout.get(at + 4) + i % cols) + shift);
        }
    }
}
