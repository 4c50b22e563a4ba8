package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;

import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.MemorySegment;

/** Sums, multiples and biases. */
final class Pointwise {
    private final Workers workers;
    private final ColumnSums sums;
    private final UnpackedVector biasRow = new UnpackedVector();

    Pointwise(Workers workers, ColumnSums sums) {
        this.workers = workers;
        this.sums = sums;
    }

    void add(Tensor x, Tensor y) {
        MemorySegment in = x.segment();
        MemorySegment out = y.segment();
        Pieces.elements(
                workers,
                (row, col, count, worker) -> add(in, x.offset(row, col), out, y.offset(row, col), count),
                x,
                y);
    }

    static void add(MemorySegment x, long xAt, MemorySegment y, long yAt, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            long at = yAt + 4L * i;
            Elements.store(Elements.load(y, at).add(Elements.load(x, xAt + 4L * i)), y, at);
        }
        for (; i < count; i++) {
            long at = yAt + 4L * i;
            Elements.set(y, at, Elements.get(y, at) + Elements.get(x, xAt + 4L * i));
        }
    }

    void scale(Tensor x, float alpha, Tensor y) {
        MemorySegment in = x.segment();
        MemorySegment out = y.segment();
        Pieces.elements(
                workers,
                (row, col, count, worker) -> scale(in, x.offset(row, col), alpha, out, y.offset(row, col), count),
                x,
                y);
    }

    private static void scale(MemorySegment x, long xAt, float alpha, MemorySegment y, long yAt, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            Elements.store(Elements.load(x, xAt + 4L * i).mul(alpha), y, yAt + 4L * i);
        }
        for (; i < count; i++) {
            Elements.set(y, yAt + 4L * i, alpha * Elements.get(x, xAt + 4L * i));
        }
    }

    void addBias(Tensor y, Weight bias) {
        int cols = Math.toIntExact(y.cols());
        float[] row = biasRow.unpack(bias);
        Pieces.rows(workers, y.rows(), cols, (first, end, worker) -> {
            for (int i = first; i < end; i++) {
                Elements.writeRow(row, 0, cols, y.segment(), y.offset(i, 0), 1f, true);
            }
        });
    }

    void addBiasBackward(Tensor dy, Tensor dBias) {
        sums.add(
                dy.rows(),
                dBias,
                (sum, from, row, col, count) -> ColumnSums.addRow(sum, from, dy.segment(), dy.offset(row, col), count));
    }
}
