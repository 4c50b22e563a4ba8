package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** Cross-entropy of a softmax and its gradient, a row at a time. */
final class CrossEntropy {
    /** Elements that are summed in float32, whose sums are then added in double: a vocabulary may have 150,000. */
    private static final int BLOCK = 64 * LANES;

    private final Workers workers;

    CrossEntropy(Workers workers) {
        this.workers = workers;
    }

    void run(Tensor logits, int[] targets, Tensor losses, boolean gradient, float gradientScale) {
        MemorySegment data = logits.segment();
        int cols = Math.toIntExact(logits.cols());
        Pieces.rows(workers, logits.rows(), cols, (first, end, worker) -> {
            for (int row = first; row < end; row++) {
                long at = logits.offset(row, 0);
                long target = logits.offset(row, targets[row]);
                float max = max(data, at, cols);
                double targetLogit = Elements.get(data, target);
                double sum = gradient ? exponentials(data, at, max, cols) : sumOfExponentials(data, at, max, cols);
                losses.set(row, 0, (float) (Math.log(sum) + max - targetLogit));
                if (gradient) {
                    double factor = gradientScale / sum;
                    scale(data, at, (float) factor, cols);
                    // Exact where the probability is near 1 and the two terms cancel.
                    Elements.set(data, target, (float) ((Math.exp(targetLogit - max) - sum) * factor));
                }
            }
        });
    }

    private static float max(MemorySegment x, long at, int count) {
        FloatVector max = FloatVector.broadcast(SPECIES, Float.NEGATIVE_INFINITY);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            max = VectorMath.larger(max, Elements.load(x, at + 4L * i));
        }
        float largest = max.reduceLanes(VectorOperators.MAX);
        for (; i < count; i++) {
            largest = Math.max(largest, Elements.get(x, at + 4L * i));
        }
        return largest;
    }

    private static double sumOfExponentials(MemorySegment x, long at, float max, int count) {
        double sum = 0;
        for (int from = 0; from < count; from += BLOCK) {
            FloatVector part = FloatVector.zero(SPECIES);
            int end = Math.min(count, from + BLOCK);
            int i = from;
            for (; i <= end - LANES; i += LANES) {
                part = part.add(VectorMath.exp(Elements.load(x, at + 4L * i).sub(max)));
            }
            if (i < end) {
                VectorMask<Float> tail = Elements.tail(i, end);
                FloatVector e =
                        VectorMath.exp(Elements.load(x, at + 4L * i, tail).sub(max));
                part = part.add(e, tail);
            }
            sum += VectorMath.sum(part);
        }
        return sum;
    }

    /** Puts the exponentials in the logits' place and returns their sum. */
    private static double exponentials(MemorySegment x, long at, float max, int count) {
        double sum = 0;
        for (int from = 0; from < count; from += BLOCK) {
            FloatVector part = FloatVector.zero(SPECIES);
            int end = Math.min(count, from + BLOCK);
            int i = from;
            for (; i <= end - LANES; i += LANES) {
                FloatVector e = VectorMath.exp(Elements.load(x, at + 4L * i).sub(max));
                Elements.store(e, x, at + 4L * i);
                part = part.add(e);
            }
            if (i < end) {
                VectorMask<Float> tail = Elements.tail(i, end);
                FloatVector e =
                        VectorMath.exp(Elements.load(x, at + 4L * i, tail).sub(max));
                Elements.store(e, x, at + 4L * i, tail);
                part = part.add(e, tail);
            }
            sum += VectorMath.sum(part);
        }
        return sum;
    }

    private static void scale(MemorySegment x, long at, float factor, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            Elements.store(Elements.load(x, at + 4L * i).mul(factor), x, at + 4L * i);
        }
        for (; i < count; i++) {
            Elements.set(x, at + 4L * i, Elements.get(x, at + 4L * i) * factor);
        }
    }
}
