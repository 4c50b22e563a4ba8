package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** Rotary position embedding in the half-split layout. */
final class Rotary {
    private final Workers workers;

    Rotary(Workers workers) {
        this.workers = workers;
    }

    void rotate(Tensor x, int[] positions, Tensor table, int headDim, boolean inverse) {
        int half = headDim / 2;
        float sign = inverse ? -1f : 1f;
        Pieces.rows(workers, x.rows(), x.cols(), (first, end, worker) -> {
            for (int row = first; row < end; row++) {
                long angles = table.offset(positions[row], 0);
                for (long col = 0; col < x.cols(); col += headDim) {
                    rotate(x.segment(), x.offset(row, col), table.segment(), angles, half, sign);
                }
            }
        });
    }

    private static void rotate(MemorySegment x, long at, MemorySegment table, long angles, int half, float sign) {
        int i = 0;
        for (; i <= half - LANES; i += LANES) {
            FloatVector a = Elements.load(x, at + 4L * i);
            FloatVector b = Elements.load(x, at + 4L * (i + half));
            FloatVector cos = Elements.load(table, angles + 4L * i);
            FloatVector sin = Elements.load(table, angles + 4L * (i + half)).mul(sign);
            Elements.store(a.mul(cos).sub(b.mul(sin)), x, at + 4L * i);
            Elements.store(b.mul(cos).add(a.mul(sin)), x, at + 4L * (i + half));
        }
        for (; i < half; i++) {
            long first = at + 4L * i;
            long second = at + 4L * (i + half);
            float a = Elements.get(x, first);
            float b = Elements.get(x, second);
            float cos = Elements.get(table, angles + 4L * i);
            float sin = Elements.get(table, angles + 4L * (i + half)) * sign;
            Elements.set(x, first, a * cos - b * sin);
            Elements.set(x, second, b * cos + a * sin);
        }
    }
}
