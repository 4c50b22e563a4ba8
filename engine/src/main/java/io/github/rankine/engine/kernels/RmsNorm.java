package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** Root mean square normalisation. With {@code r} the inverse root: {@code y = x · r · w}. */
final class RmsNorm {
    private final Workers workers;
    private final ColumnSums sums;
    private final UnpackedVector weight = new UnpackedVector();

    RmsNorm(Workers workers, ColumnSums sums) {
        this.workers = workers;
        this.sums = sums;
    }

    void forward(Tensor x, Weight w, float eps, Tensor y, Tensor inverseRms) {
        int cols = Math.toIntExact(x.cols());
        float[] factors = weight.unpack(w);
        Pieces.rows(workers, x.rows(), cols, (first, end, worker) -> {
            for (int row = first; row < end; row++) {
                float squares = squares(x.segment(), x.offset(row, 0), cols);
                float r = (float) (1 / Math.sqrt((double) squares / cols + eps));
                inverseRms.set(row, 0, r);
                scale(x.segment(), x.offset(row, 0), r, factors, y.segment(), y.offset(row, 0), cols);
            }
        });
    }

    private static float squares(MemorySegment x, long at, int count) {
        FloatVector s0 = FloatVector.zero(SPECIES), s1 = s0;
        int i = 0;
        for (; i <= count - 2 * LANES; i += 2 * LANES) {
            FloatVector a = Elements.load(x, at + 4L * i);
            FloatVector b = Elements.load(x, at + 4L * (i + LANES));
            s0 = a.fma(a, s0);
            s1 = b.fma(b, s1);
        }
        float sum = VectorMath.sum(s0.add(s1));
        for (; i < count; i++) {
            float a = Elements.get(x, at + 4L * i);
            sum = Math.fma(a, a, sum);
        }
        return sum;
    }

    private static void scale(MemorySegment x, long xAt, float r, float[] w, MemorySegment y, long yAt, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector normal = Elements.load(x, xAt + 4L * i).mul(r);
            Elements.store(normal.mul(FloatVector.fromArray(SPECIES, w, i)), y, yAt + 4L * i);
        }
        for (; i < count; i++) {
            Elements.set(y, yAt + 4L * i, Elements.get(x, xAt + 4L * i) * r * w[i]);
        }
    }

    /** {@code dx = r · w · dy − x · r³ / d · Σ dy · w · x}, and {@code dWeight += Σ_rows dy · x · r}. */
    void backward(Tensor x, Weight w, Tensor inverseRms, Tensor dy, Tensor dx, boolean accumulate, Tensor dWeight) {
        int cols = Math.toIntExact(x.cols());
        float[] factors = weight.unpack(w);
        Pieces.rows(workers, x.rows(), cols, (first, end, worker) -> {
            for (int row = first; row < end; row++) {
                float r = inverseRms.get(row, 0);
                long xAt = x.offset(row, 0);
                long dyAt = dy.offset(row, 0);
                float dot = dot(dy.segment(), dyAt, factors, x.segment(), xAt, cols);
                float back = (float) ((double) r * r * r / cols * dot);
                gradient(
                        x.segment(),
                        xAt,
                        factors,
                        dy.segment(),
                        dyAt,
                        r,
                        back,
                        dx.segment(),
                        dx.offset(row, 0),
                        cols,
                        accumulate);
            }
        });
        if (dWeight != null) {
            sums.add(
                    dy.rows(),
                    dWeight,
                    (sum, from, row, col, count) -> ColumnSums.addNormalised(
                            sum,
                            from,
                            x.segment(),
                            x.offset(row, col),
                            0f,
                            inverseRms.get(row, 0),
                            dy.segment(),
                            dy.offset(row, col),
                            count));
        }
    }

    private static float dot(MemorySegment dy, long dyAt, float[] w, MemorySegment x, long xAt, int count) {
        FloatVector sum = FloatVector.zero(SPECIES);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector g = Elements.load(dy, dyAt + 4L * i).mul(FloatVector.fromArray(SPECIES, w, i));
            sum = g.fma(Elements.load(x, xAt + 4L * i), sum);
        }
        float total = VectorMath.sum(sum);
        for (; i < count; i++) {
            total = Math.fma(Elements.get(dy, dyAt + 4L * i) * w[i], Elements.get(x, xAt + 4L * i), total);
        }
        return total;
    }

    private static void gradient(
            MemorySegment x,
            long xAt,
            float[] w,
            MemorySegment dy,
            long dyAt,
            float r,
            float back,
            MemorySegment dx,
            long dxAt,
            int count,
            boolean accumulate) {
        FloatVector factor = FloatVector.broadcast(SPECIES, -back);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector g = Elements.load(dy, dyAt + 4L * i)
                    .mul(FloatVector.fromArray(SPECIES, w, i))
                    .mul(r);
            FloatVector d = Elements.load(x, xAt + 4L * i).fma(factor, g);
            long at = dxAt + 4L * i;
            Elements.store(accumulate ? d.add(Elements.load(dx, at)) : d, dx, at);
        }
        for (; i < count; i++) {
            float g = Elements.get(dy, dyAt + 4L * i) * w[i] * r;
            float d = Math.fma(Elements.get(x, xAt + 4L * i), -back, g);
            long at = dxAt + 4L * i;
            Elements.set(dx, at, accumulate ? d + Elements.get(dx, at) : d);
        }
    }
}
