package io.github.rankine.engine.kernels;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Dropout by hashing: {@link Dropout#keeps} for each element of a tensor. */
final class DropoutKernel {
    private final Workers workers;

    DropoutKernel(Workers workers) {
        this.workers = workers;
    }

    void dropout(Tensor x, Tensor y, float probability, long seed, boolean accumulate) {
        float scale = 1f / (1f - probability);
        long cols = x.cols();
        Pieces.elements(
                workers,
                (row, col, count, worker) -> dropout(
                        x.segment(),
                        x.offset(row, col),
                        y.segment(),
                        y.offset(row, col),
                        row * cols + col,
                        count,
                        probability,
                        scale,
                        seed,
                        accumulate),
                x,
                y);
    }

    private static void dropout(
            MemorySegment x,
            long xAt,
            MemorySegment y,
            long yAt,
            long index,
            int count,
            float probability,
            float scale,
            long seed,
            boolean accumulate) {
        for (int i = 0; i < count; i++) {
            float kept = Dropout.keeps(seed, index + i, probability) ? Elements.get(x, xAt + 4L * i) * scale : 0f;
            long at = yAt + 4L * i;
            Elements.set(y, at, accumulate ? Elements.get(y, at) + kept : kept);
        }
    }
}
