package io.github.rankine.tornado;

import static io.github.rankine.tornado.Reduction.GROUP;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.DoubleArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** A group of threads for each row. Parameters begin with the number of columns; a tensor is its offset and its stride. */
final class RowKernels {
    private RowKernels() {}

    /** Parameters: x, y, inverseRms, eps, weight. */
    static void rmsNorm(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray words,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int row = context.groupIdx;
        int d = layout.get(at);
        int from = layout.get(at + 1) + row * layout.get(at + 2);
        int to = layout.get(at + 3) + row * layout.get(at + 4);
        float squares = 0;
        for (int i = context.localIdx; i < d; i += GROUP) {
            float v = floats.get(from + i);
            squares += v * v;
        }
        float mean = Reduction.sum(context, squares) / d;
        float inverse = 1f / TornadoMath.sqrt(mean + scalars.get(layout.get(at + 7)));
        for (int i = context.localIdx; i < d; i += GROUP) {
            floats.set(to + i, floats.get(from + i) * inverse * Stored.at(floats, words, scalars, layout, at + 8, i));
        }
        if (context.localIdx == 0) {
            floats.set(layout.get(at + 5) + row * layout.get(at + 6), inverse);
        }
    }

    /** Parameters: x, dy, dx, inverseRms, accumulate, weight. */
    static void rmsNormBackward(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray words,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int row = context.groupIdx;
        int d = layout.get(at);
        int from = layout.get(at + 1) + row * layout.get(at + 2);
        int gradient = layout.get(at + 3) + row * layout.get(at + 4);
        int to = layout.get(at + 5) + row * layout.get(at + 6);
        float inverse = floats.get(layout.get(at + 7) + row * layout.get(at + 8));
        float dot = 0;
        for (int i = context.localIdx; i < d; i += GROUP) {
            dot += floats.get(gradient + i)
                    * Stored.at(floats, words, scalars, layout, at + 10, i)
                    * floats.get(from + i);
        }
        float mean = Reduction.sum(context, dot) * inverse * inverse / d;
        for (int i = context.localIdx; i < d; i += GROUP) {
            float direct = floats.get(gradient + i) * Stored.at(floats, words, scalars, layout, at + 10, i);
            float value = inverse * (direct - floats.get(from + i) * mean);
            if (layout.get(at + 9) == 1) {
                value += floats.get(to + i);
            }
            floats.set(to + i, value);
        }
    }

    /** Parameters: x, y, statistics, eps, weight, bias. */
    static void layerNorm(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray words,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int row = context.groupIdx;
        int d = layout.get(at);
        int from = layout.get(at + 1) + row * layout.get(at + 2);
        int to = layout.get(at + 3) + row * layout.get(at + 4);
        float sum = 0;
        for (int i = context.localIdx; i < d; i += GROUP) {
            sum += floats.get(from + i);
        }
        float mean = Reduction.sum(context, sum) / d;
        float squares = 0;
        for (int i = context.localIdx; i < d; i += GROUP) {
            float v = floats.get(from + i) - mean;
            squares += v * v;
        }
        float variance = Reduction.sum(context, squares) / d;
        float inverse = 1f / TornadoMath.sqrt(variance + scalars.get(layout.get(at + 7)));
        for (int i = context.localIdx; i < d; i += GROUP) {
            float v = (floats.get(from + i) - mean) * inverse * Stored.at(floats, words, scalars, layout, at + 8, i);
            floats.set(to + i, v + Stored.at(floats, words, scalars, layout, at + 12, i));
        }
        if (context.localIdx == 0) {
            int place = layout.get(at + 5) + row * layout.get(at + 6);
            floats.set(place, mean);
            floats.set(place + 1, inverse);
        }
    }

    /** Parameters: x, dy, dx, statistics, accumulate, weight. */
    static void layerNormBackward(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray words,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int row = context.groupIdx;
        int d = layout.get(at);
        int from = layout.get(at + 1) + row * layout.get(at + 2);
        int gradient = layout.get(at + 3) + row * layout.get(at + 4);
        int to = layout.get(at + 5) + row * layout.get(at + 6);
        int place = layout.get(at + 7) + row * layout.get(at + 8);
        float mean = floats.get(place);
        float inverse = floats.get(place + 1);
        float sum = 0;
        float dot = 0;
        for (int i = context.localIdx; i < d; i += GROUP) {
            float g = floats.get(gradient + i) * Stored.at(floats, words, scalars, layout, at + 10, i);
            sum += g;
            dot += g * (floats.get(from + i) - mean) * inverse;
        }
        float meanGradient = Reduction.sum(context, sum) / d;
        float meanDot = Reduction.sum(context, dot) / d;
        for (int i = context.localIdx; i < d; i += GROUP) {
            float g = floats.get(gradient + i) * Stored.at(floats, words, scalars, layout, at + 10, i);
            float normalised = (floats.get(from + i) - mean) * inverse;
            float value = inverse * (g - meanGradient - normalised * meanDot);
            if (layout.get(at + 9) == 1) {
                value += floats.get(to + i);
            }
            floats.set(to + i, value);
        }
    }

    /** Parameters: logits, losses, the targets in the state, whether a gradient is wanted, its scale. */
    static void crossEntropy(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int row = context.groupIdx;
        int d = layout.get(at);
        int from = layout.get(at + 1) + row * layout.get(at + 2);
        int target = state.get(layout.get(at + 5) + row);
        float scale = scalars.get(layout.get(at + 7));
        float largest = -3.4e38f;
        for (int i = context.localIdx; i < d; i += GROUP) {
            largest = TornadoMath.max(largest, floats.get(from + i));
        }
        float max = Reduction.max(context, largest);
        float exponentials = 0;
        for (int i = context.localIdx; i < d; i += GROUP) {
            exponentials += TornadoMath.exp(floats.get(from + i) - max);
        }
        float sum = Reduction.sum(context, exponentials);
        if (context.localIdx == 0) {
            float loss = TornadoMath.log(sum) + (max - floats.get(from + target));
            floats.set(layout.get(at + 3) + row * layout.get(at + 4), loss);
        }
        context.localBarrier();
        if (layout.get(at + 6) == 1) {
            for (int i = context.localIdx; i < d; i += GROUP) {
                float value = TornadoMath.exp(floats.get(from + i) - max) / sum;
                if (i == target) {
                    value -= 1f;
                }
                floats.set(from + i, value * scale);
            }
        }
    }

    /** Squared lengths of a weight's rows; parameters: out, the weight. */
    static void squaredNorms(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray scalars,
            FloatArray floats,
            IntArray words,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        int row = context.groupIdx;
        int d = layout.get(at);
        float squares = 0;
        for (int i = context.localIdx; i < d; i += GROUP) {
            float v = Stored.at(floats, words, scalars, layout, at + 2, row * d + i);
            squares += v * v;
        }
        float sum = Reduction.sum(context, squares);
        if (context.localIdx == 0) {
            floats.set(layout.get(at + 1) + row, sum);
        }
    }

    /** The sum of all elements' squares, by one group; parameters: rows, x, the result's place. */
    static void sumOfSquares(
            KernelContext context,
            IntArray state,
            IntArray layout,
            FloatArray floats,
            DoubleArray results,
            IntArray task) {
        int at = state.get(1) + layout.get(state.get(1) + task.get(0));
        double[] part = context.allocateDoubleLocalArray(GROUP);
        int thread = context.localIdx;
        int d = layout.get(at);
        int rows = layout.get(at + 1);
        double squares = 0;
        for (int row = 0; row < rows; row++) {
            int from = layout.get(at + 2) + row * layout.get(at + 3);
            for (int i = thread; i < d; i += GROUP) {
                double v = floats.get(from + i);
                squares += v * v;
            }
        }
        part[thread] = squares;
        context.localBarrier();
        for (int half = GROUP / 2; half > 0; half /= 2) {
            if (thread < half) {
                part[thread] += part[thread + half];
            }
            context.localBarrier();
        }
        if (thread == 0) {
            results.set(layout.get(at + 4), part[0]);
        }
    }
}
