package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/** The lengths of weights' rows, and outputs brought to others. */
final class RowLengths {
    private static final int COLUMNS = 256;

    private final Workers workers;
    private final ColumnSums sums;
    private final float[][] rows;
    private final double[][] squares;
    private final UnpackedVector biasRow = new UnpackedVector();
    private final UnpackedVector factorRow = new UnpackedVector();
    private float[] noBias = new float[0];

    RowLengths(Workers workers, ColumnSums sums) {
        this.workers = workers;
        this.sums = sums;
        rows = new float[workers.count()][COLUMNS];
        squares = new double[workers.count()][COLUMNS];
    }

    void squaredNorms(Weight weight, boolean columns, Tensor out) {
        Operand operand = Operand.of(weight);
        if (columns) {
            Pieces.columns(workers, weight.cols(), COLUMNS, (col, count, worker) -> {
                double[] sum = squares[worker];
                Arrays.fill(sum, 0);
                for (long row = 0; row < weight.rows(); row++) {
                    operand.read(row, col, rows[worker], 0, count);
                    addSquares(rows[worker], sum, count);
                }
                for (int i = 0; i < count; i++) {
                    out.set(0, col + i, (float) sum[i]);
                }
            });
            return;
        }
        Pieces.rows(workers, weight.rows(), weight.cols(), (first, end, worker) -> {
            double[] sum = squares[worker];
            for (int row = first; row < end; row++) {
                Arrays.fill(sum, 0);
                for (long col = 0; col < weight.cols(); col += COLUMNS) {
                    int count = (int) Math.min(COLUMNS, weight.cols() - col);
                    operand.read(row, col, rows[worker], 0, count);
                    addSquares(rows[worker], sum, count);
                }
                double total = 0;
                for (double part : sum) {
                    total += part;
                }
                out.set(0, row, (float) total);
            }
        });
    }

    private static void addSquares(float[] values, double[] sum, int count) {
        for (int i = 0; i < count; i++) {
            sum[i] += (double) values[i] * values[i];
        }
    }

    void doraFactors(
            Tensor squares,
            Weight b,
            Tensor aw,
            Tensor ba,
            float scaling,
            Weight magnitude,
            Tensor factors,
            Tensor inverseNorms) {
        long rank = b.cols();
        Pieces.rows(workers, b.rows(), 4 * rank, (first, end, worker) -> {
            for (int j = first; j < end; j++) {
                double square = squares.get(0, j);
                for (int i = 0; i < rank; i++) {
                    double linear = 2.0 * scaling * aw.get(i, j);
                    double quadratic = (double) scaling * scaling * ba.get(j, i);
                    square += b.get(j, i) * (linear + quadratic);
                }
                double norm = Math.sqrt(square);
                factors.set(0, j, (float) (magnitude.at(j) / norm));
                inverseNorms.set(0, j, (float) (1 / norm));
            }
        });
    }

    void rescale(Tensor x, Tensor factors, Weight bias, Tensor y) {
        int cols = Math.toIntExact(x.cols());
        float[] factor = factorRow.unpack(factors.asWeight());
        float[] shift = bias(bias, cols);
        Pieces.rows(workers, x.rows(), cols, (first, end, worker) -> {
            for (int row = first; row < end; row++) {
                rescaleRow(x.segment(), x.offset(row, 0), factor, shift, y.segment(), y.offset(row, 0), cols);
            }
        });
    }

    private float[] bias(Weight bias, int cols) {
        if (bias != null) {
            return biasRow.unpack(bias);
        }
        if (noBias.length < cols) {
            noBias = new float[cols];
        }
        return noBias;
    }

    private static void rescaleRow(
            MemorySegment x, long xAt, float[] factor, float[] bias, MemorySegment y, long yAt, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector b = FloatVector.fromArray(SPECIES, bias, i);
            FloatVector scaled =
                    Elements.load(x, xAt + 4L * i).sub(b).fma(FloatVector.fromArray(SPECIES, factor, i), b);
            Elements.store(scaled, y, yAt + 4L * i);
        }
        for (; i < count; i++) {
            Elements.set(y, yAt + 4L * i, Math.fma(Elements.get(x, xAt + 4L * i) - bias[i], factor[i], bias[i]));
        }
    }

    void rescaleBackward(Tensor x, Tensor inverseNorms, Weight bias, Tensor dy, Tensor dMagnitude) {
        int cols = Math.toIntExact(x.cols());
        float[] inverse = factorRow.unpack(inverseNorms.asWeight());
        float[] shift = bias(bias, cols);
        sums.add(
                x.rows(),
                dMagnitude,
                (sum, from, row, col, count) -> addProducts(
                        sum,
                        from,
                        x.segment(),
                        x.offset(row, col),
                        shift,
                        inverse,
                        col,
                        dy.segment(),
                        dy.offset(row, col),
                        count));
    }

    /** {@code sum += dy · (x − bias) · inverse}. */
    private static void addProducts(
            float[] sum,
            int from,
            MemorySegment x,
            long xAt,
            float[] bias,
            float[] inverse,
            int col,
            MemorySegment dy,
            long dyAt,
            int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector direction = Elements.load(x, xAt + 4L * i)
                    .sub(FloatVector.fromArray(SPECIES, bias, col + i))
                    .mul(FloatVector.fromArray(SPECIES, inverse, col + i));
            Elements.load(dy, dyAt + 4L * i)
                    .fma(direction, FloatVector.fromArray(SPECIES, sum, from + i))
                    .intoArray(sum, from + i);
        }
        for (; i < count; i++) {
            float direction = (Elements.get(x, xAt + 4L * i) - bias[col + i]) * inverse[col + i];
            sum[from + i] = Math.fma(Elements.get(dy, dyAt + 4L * i), direction, sum[from + i]);
        }
    }
}
