package io.github.rankine.reference;

import static io.github.rankine.reference.FiniteDifferences.check;
import static io.github.rankine.reference.FiniteDifferences.normal;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every backward pass but attention's against finite differences of its forward pass. */
class GradientsTest {
    @ParameterizedTest
    @CsvSource({"1, 1, 1", "3, 5, 7", "4, 2, 9", "1, 6, 3"})
    void productsAreTheGradientsOfTheLinearLayer(int m, int n, int k) {
        double alpha = -1.7;
        double[] a = normal(1, m * k);
        double[] b = normal(2, n * k);
        double[] dc = normal(3, m * n);
        check(a, () -> Products.matmulNT(a, b, m, n, k, alpha), dc, Products.matmulNN(dc, b, m, k, n, alpha));
        check(b, () -> Products.matmulNT(a, b, m, n, k, alpha), dc, Products.matmulTN(dc, a, n, k, m, alpha));
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "3, 7", "8, 2"})
    void bias(int n, int d) {
        double[] bias = normal(1, d);
        double[] dy = normal(2, n * d);
        check(bias, () -> Elementwise.bias(bias, n), dy, Elementwise.biasBackward(dy, n, d));
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.1, 1, 5})
    void swiglu(double spread) {
        double[] gate = Elementwise.scale(normal(1, 23), spread);
        double[] up = normal(2, 23);
        double[] dy = normal(3, 23);
        var gradients = Elementwise.swigluBackward(gate, up, dy);
        check(gate, () -> Elementwise.swiglu(gate, up), dy, gradients.dGate());
        check(up, () -> Elementwise.swiglu(gate, up), dy, gradients.dUp());
    }

    @ParameterizedTest
    @CsvSource({"true, 0.1", "true, 1", "true, 4", "false, 0.1", "false, 1", "false, 4"})
    void gelu(boolean tanhApproximation, double spread) {
        double[] x = Elementwise.scale(normal(1, 41), spread);
        double[] dy = normal(2, 41);
        check(x, () -> Elementwise.gelu(x, tanhApproximation), dy, Elementwise.geluBackward(x, dy, tanhApproximation));
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.1, 1, 3})
    void tanh(double spread) {
        double[] x = Elementwise.scale(normal(1, 41), spread);
        double[] dy = normal(2, 41);
        check(x, () -> Elementwise.tanh(x), dy, Elementwise.tanhBackward(Elementwise.tanh(x), dy));
    }

    @ParameterizedTest
    @ValueSource(floats = {0f, 0.1f, 0.5f, 0.9f})
    void dropout(float probability) {
        double[] x = normal(1, 200);
        double[] dy = normal(2, 200);
        check(x, () -> Elementwise.dropout(x, probability, 42), dy, Elementwise.dropout(dy, probability, 42));
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1e-5", "3, 7, 1e-6", "2, 16, 0.1", "5, 3, 1e-5"})
    void rmsNorm(int n, int d, double eps) {
        double[] x = normal(1, n * d);
        double[] weight = normal(2, d);
        double[] dy = normal(3, n * d);
        var forward = Norms.rmsNorm(x, weight, n, eps);
        var gradients = Norms.rmsNormBackward(x, weight, forward.inverseRms(), dy, n);
        check(x, () -> Norms.rmsNorm(x, weight, n, eps).y(), dy, gradients.dx());
        check(weight, () -> Norms.rmsNorm(x, weight, n, eps).y(), dy, gradients.dWeight());
    }

    @ParameterizedTest
    @CsvSource({"1, 3, 1e-5", "3, 7, 1e-6", "2, 16, 0.1", "5, 2, 1e-2"})
    void layerNorm(int n, int d, double eps) {
        double[] x = normal(1, n * d);
        double[] weight = normal(2, d);
        double[] bias = normal(3, d);
        double[] dy = normal(4, n * d);
        var forward = Norms.layerNorm(x, weight, bias, n, eps);
        var gradients = Norms.layerNormBackward(x, weight, forward.statistics(), dy, n);
        check(x, () -> Norms.layerNorm(x, weight, bias, n, eps).y(), dy, gradients.dx());
        check(weight, () -> Norms.layerNorm(x, weight, bias, n, eps).y(), dy, gradients.dWeight());
        check(bias, () -> Norms.layerNorm(x, weight, bias, n, eps).y(), dy, gradients.dBias());
    }

    @ParameterizedTest
    @CsvSource({"1, 3", "5, 7"})
    void rescale(int n, int d) {
        double[] x = normal(1, n * d);
        double[] magnitude = normal(2, d);
        double[] inverseNorms = normal(3, d);
        double[] bias = normal(4, d);
        double[] dy = normal(5, n * d);
        Supplier<double[]> forward = () -> RowLengths.rescale(x, product(magnitude, inverseNorms), bias);
        check(x, forward, dy, RowLengths.rescale(dy, product(magnitude, inverseNorms), new double[d]));
        check(magnitude, forward, dy, RowLengths.rescaleBackward(x, inverseNorms, bias, dy));
        double[] dBias = Elementwise.biasBackward(dy, n, d);
        double[] throughX =
                Elementwise.biasBackward(RowLengths.rescale(dy, product(magnitude, inverseNorms), new double[d]), n, d);
        for (int i = 0; i < d; i++) {
            dBias[i] -= throughX[i];
        }
        check(bias, forward, dy, dBias);
    }

    private static double[] product(double[] x, double[] y) {
        return IntStream.range(0, x.length).mapToDouble(i -> x[i] * y[i]).toArray();
    }

    /** The lengths that products give are those of the rows of a matrix that is formed. */
    @ParameterizedTest
    @CsvSource({"4, 9, 1", "7, 30, 3"})
    void rowNorms(int n, int d, int rank) {
        double s = 0.7;
        double[] w = normal(1, n * d);
        double[] a = normal(2, rank * d);
        double[] b = normal(3, n * rank);
        double[] aa = Products.matmulNT(a, a, rank, rank, d, 1);
        double[] inverse = RowLengths.inverseNorms(
                RowLengths.squaredNorms(w, n, d, false),
                b,
                Products.matmulNT(a, w, rank, n, d, 1),
                Products.matmulNN(b, aa, n, rank, rank, 1),
                rank,
                s);
        double[] formed = Samples.plus(w, Products.matmulNN(b, a, n, d, rank, s));
        double[] squares = RowLengths.squaredNorms(formed, n, d, false);
        for (int j = 0; j < n; j++) {
            assertThat(1 / inverse[j]).isCloseTo(Math.sqrt(squares[j]), within(1e-12));
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 2", "1, 6", "3, 8"})
    void rotary(int heads, int headDim) {
        int[] positions = {0, 5, 2, 2, 6};
        int width = heads * headDim;
        double[] table = rotaryTable(7, headDim);
        double[] x = normal(1, positions.length * width);
        double[] dy = normal(2, positions.length * width);
        double[] dx = dy.clone();
        Rotary.rotate(dx, width, positions, table, headDim, true);
        check(x, () -> rotated(x, width, positions, table, headDim), dy, dx);
    }

    private static double[] rotated(double[] x, int width, int[] positions, double[] table, int headDim) {
        double[] y = x.clone();
        Rotary.rotate(y, width, positions, table, headDim, false);
        return y;
    }

    private static double[] rotaryTable(int positions, int headDim) {
        double[] table = new double[positions * headDim];
        int half = headDim / 2;
        for (int i = 0; i < positions * half; i++) {
            double angle = i / half * Math.pow(10_000, -(double) (i % half) / half);
            table[i / half * headDim + i % half] = Math.cos(angle);
            table[i / half * headDim + half + i % half] = Math.sin(angle);
        }
        return table;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 5, 8})
    void gatheredRows(int d) {
        int[] rows = {3, 0, 3, 5, 3, 1};
        double[] x = normal(1, 6 * d);
        double[] dy = normal(2, rows.length * d);
        double[] dx = Rows.gatherBackward(dy, rows, d, 6);
        check(x, () -> Rows.gather(x, rows, d), dy, dx);
        assertThat(dx[2 * d]).as("row 2 is not picked").isZero();
    }

    @ParameterizedTest
    @CsvSource({"1, 2, 1", "4, 7, 1", "3, 33, 10"})
    void crossEntropy(int n, int vocabulary, double spread) {
        double[] logits = Elementwise.scale(normal(1, n * vocabulary), spread);
        int[] targets = IntStream.range(0, n).map(i -> i * 5 % vocabulary).toArray();
        double scale = -0.37;
        double[] weights = new double[n];
        Arrays.fill(weights, scale);
        check(
                logits,
                () -> CrossEntropy.losses(logits, targets),
                weights,
                CrossEntropy.backward(logits, targets, scale));
    }
}
