package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** Cross-entropy of a softmax and its gradient, a row at a time. */
final class CrossEntropy {
    /** Elements that are summed in float32, whose sums are then added in double: a vocabulary may have 150,000. */
    private static final int BLOCK = 64 * LANES;

    private final Workers workers;
    private final float[][] blocks;

    CrossEntropy(Workers workers) {
        this.workers = workers;
        blocks = new float[workers.count()][BLOCK];
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
                double sum = exponentials(data, at, max, cols, gradient, blocks[worker]);
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
            max = Elements.load(x, at + 4L * i).max(max);
        }
        float largest = max.reduceLanes(VectorOperators.MAX);
        for (; i < count; i++) {
            largest = Math.max(largest, Elements.get(x, at + 4L * i));
        }
        return largest;
    }

    /** The sum of the exponentials relative to {@code max}; when {@code keep}, they are put in the logits' place. */
    private static double exponentials(MemorySegment x, long at, float max, int count, boolean keep, float[] block) {
        double sum = 0;
        for (int from = 0; from < count; from += BLOCK) {
            int width = Math.min(BLOCK, count - from);
            Unpack.row(DType.F32, x, at / 4 + from, block, 0, width);
            Arrays.fill(block, width, BLOCK, Float.NEGATIVE_INFINITY);
            sum += exponentials(block, max);
            if (keep) {
                Elements.copyRow(block, 0, width, x, at + 4L * from);
            }
        }
        return sum;
    }

    private static float exponentials(float[] block, float max) {
        FloatVector base = FloatVector.broadcast(SPECIES, max);
        FloatVector sum = FloatVector.zero(SPECIES);
        for (int i = 0; i < BLOCK; i += LANES) {
            FloatVector e = VectorMath.expUpTo87(
                    FloatVector.fromArray(SPECIES, block, i).sub(base));
            e.intoArray(block, i);
            sum = e.add(sum);
        }
        return VectorMath.sum(sum);
    }

    private static void scale(MemorySegment x, long at, float factor, int count) {
        FloatVector factors = FloatVector.broadcast(SPECIES, factor);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            Elements.store(Elements.load(x, at + 4L * i).mul(factors), x, at + 4L * i);
        }
        for (; i < count; i++) {
            Elements.set(x, at + 4L * i, Elements.get(x, at + 4L * i) * factor);
        }
    }
}
