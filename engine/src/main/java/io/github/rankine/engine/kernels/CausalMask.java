package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.NR;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** Hides from each query the keys after it, and those before its sliding window. */
final class CausalMask {
    private static final FloatVector LANE = FloatVector.zero(SPECIES).addIndex(1);

    private CausalMask() {}

    /**
     * Puts {@code hidden} where a query does not see a key. Only the few rows that some query does not see are touched.
     *
     * @param scores   rows are keys, {@code stride} apart; columns are NR queries
     * @param offset   of the first row
     * @param rows     number of keys
     * @param firstKey position of the first of them
     * @param position of the first query; the others follow it
     * @param queries  number of queries, at most NR
     * @param window   keys that a query sees, itself included, or 0
     */
    static void apply(
            float[] scores,
            int offset,
            int stride,
            int rows,
            int firstKey,
            int position,
            int queries,
            int window,
            float hidden) {
        int diagonal = Math.max(0, position + 1 - firstKey);
        for (int i = diagonal; i < rows; i++) {
            int start = firstKey + i - position;
            hide(scores, offset + i * stride, start, NR, hidden);
        }
        if (window > 0) {
            int leaving = Math.min(rows, position + queries - window - firstKey);
            for (int i = 0; i < leaving; i++) {
                hide(scores, offset + i * stride, 0, firstKey + i + window - position, hidden);
            }
        }
    }

    /** Keeps the lanes from {@code start} up to {@code end}. */
    private static void hide(float[] scores, int at, int start, int end, float hidden) {
        for (int lane = 0; lane < NR; lane += LANES) {
            FloatVector v = FloatVector.fromArray(SPECIES, scores, at + lane);
            FloatVector index = LANE.add(lane);
            v.blend(hidden, index.compare(VectorOperators.LT, start).or(index.compare(VectorOperators.GE, end)))
                    .intoArray(scores, at + lane);
        }
    }
}
