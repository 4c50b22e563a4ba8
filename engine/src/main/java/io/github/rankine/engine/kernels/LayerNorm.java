package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** Layer normalisation. With {@code r} the inverse deviation and {@code h = (x − mean) · r}: {@code y = h · w + b}. */
final class LayerNorm {
    private final Workers workers;
    private final ColumnSums sums;
    private final UnpackedVector weight = new UnpackedVector();
    private final UnpackedVector bias = new UnpackedVector();

    LayerNorm(Workers workers, ColumnSums sums) {
        this.workers = workers;
        this.sums = sums;
    }

    void forward(Tensor x, Weight w, Weight b, float eps, Tensor y, Tensor statistics) {
        int cols = Math.toIntExact(x.cols());
        float[] factors = weight.unpack(w);
        float[] summands = bias.unpack(b);
        Pieces.rows(workers, x.rows(), cols, (first, end, worker) -> {
            for (int row = first; row < end; row++) {
                long at = x.offset(row, 0);
                float mean = sum(x.segment(), at, cols) / cols;
                float variance = squares(x.segment(), at, mean, cols) / cols;
                float r = (float) (1 / Math.sqrt((double) variance + eps));
                statistics.set(row, 0, mean);
                statistics.set(row, 1, r);
                normalise(x.segment(), at, mean, r, factors, summands, y.segment(), y.offset(row, 0), cols);
            }
        });
    }

    private static float sum(MemorySegment x, long at, int count) {
        FloatVector sum = FloatVector.zero(SPECIES);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            sum = Elements.load(x, at + 4L * i).add(sum);
        }
        float total = VectorMath.sum(sum);
        for (; i < count; i++) {
            total += Elements.get(x, at + 4L * i);
        }
        return total;
    }

    private static float squares(MemorySegment x, long at, float mean, int count) {
        FloatVector sum = FloatVector.zero(SPECIES);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector d = Elements.load(x, at + 4L * i).sub(mean);
            sum = d.fma(d, sum);
        }
        float total = VectorMath.sum(sum);
        for (; i < count; i++) {
            float d = Elements.get(x, at + 4L * i) - mean;
            total = Math.fma(d, d, total);
        }
        return total;
    }

    private static void normalise(
            MemorySegment x,
            long xAt,
            float mean,
            float r,
            float[] w,
            float[] b,
            MemorySegment y,
            long yAt,
            int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector h = Elements.load(x, xAt + 4L * i).sub(mean).mul(r);
            Elements.store(
                    h.fma(FloatVector.fromArray(SPECIES, w, i), FloatVector.fromArray(SPECIES, b, i)), y, yAt + 4L * i);
        }
        for (; i < count; i++) {
            float h = (Elements.get(x, xAt + 4L * i) - mean) * r;
            Elements.set(y, yAt + 4L * i, Math.fma(h, w[i], b[i]));
        }
    }

    /** With {@code g = dy · w}: {@code dx = r · (g − mean(g) − h · mean(g · h))}; {@code dWeight += Σ dy · h}, {@code dBias += Σ dy}. */
    void backward(
            Tensor x,
            Weight w,
            Tensor statistics,
            Tensor dy,
            Tensor dx,
            boolean accumulate,
            Tensor dWeight,
            Tensor dBias) {
        int cols = Math.toIntExact(x.cols());
        float[] factors = weight.unpack(w);
        Pieces.rows(workers, x.rows(), cols, (first, end, worker) -> {
            for (int row = first; row < end; row++) {
                gradient(
                        x.segment(),
                        x.offset(row, 0),
                        statistics.get(row, 0),
                        statistics.get(row, 1),
                        factors,
                        dy.segment(),
                        dy.offset(row, 0),
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
                            statistics.get(row, 0),
                            statistics.get(row, 1),
                            dy.segment(),
                            dy.offset(row, col),
                            count));
        }
        if (dBias != null) {
            sums.add(
                    dy.rows(),
                    dBias,
                    (sum, from, row, col, count) ->
                            ColumnSums.addRow(sum, from, dy.segment(), dy.offset(row, col), count));
        }
    }

    private static void gradient(
            MemorySegment x,
            long xAt,
            float mean,
            float r,
            float[] w,
            MemorySegment dy,
            long dyAt,
            MemorySegment dx,
            long dxAt,
            int count,
            boolean accumulate) {
        FloatVector sumG = FloatVector.zero(SPECIES);
        FloatVector sumGh = FloatVector.zero(SPECIES);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector g = Elements.load(dy, dyAt + 4L * i).mul(FloatVector.fromArray(SPECIES, w, i));
            FloatVector h = Elements.load(x, xAt + 4L * i).sub(mean).mul(r);
            sumG = g.add(sumG);
            sumGh = g.fma(h, sumGh);
        }
        float meanG = VectorMath.sum(sumG);
        float meanGh = VectorMath.sum(sumGh);
        for (; i < count; i++) {
            float g = Elements.get(dy, dyAt + 4L * i) * w[i];
            meanG += g;
            meanGh = Math.fma(g, (Elements.get(x, xAt + 4L * i) - mean) * r, meanGh);
        }
        meanG /= count;
        meanGh /= count;
        for (i = 0; i <= count - LANES; i += LANES) {
            FloatVector g = Elements.load(dy, dyAt + 4L * i).mul(FloatVector.fromArray(SPECIES, w, i));
            FloatVector h = Elements.load(x, xAt + 4L * i).sub(mean).mul(r);
            FloatVector d = g.sub(meanG).sub(h.mul(meanGh)).mul(r);
            long at = dxAt + 4L * i;
            Elements.store(accumulate ? d.add(Elements.load(dx, at)) : d, dx, at);
        }
        for (; i < count; i++) {
            float g = Elements.get(dy, dyAt + 4L * i) * w[i];
            float h = (Elements.get(x, xAt + 4L * i) - mean) * r;
            float d = (g - meanG - h * meanGh) * r;
            long at = dxAt + 4L * i;
            Elements.set(dx, at, accumulate ? d + Elements.get(dx, at) : d);
        }
    }
}
