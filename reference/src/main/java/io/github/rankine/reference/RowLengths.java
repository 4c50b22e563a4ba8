package io.github.rankine.reference;

/** The lengths of weights' rows, and outputs brought to others (Liu et al. 2024, DoRA). */
final class RowLengths {
    private RowLengths() {}

    /** Squared lengths of the rows of {@code w[rows, cols]}, or of its columns. */
    static double[] squaredNorms(double[] w, int rows, int cols, boolean columns) {
        double[] squares = new double[columns ? cols : rows];
        for (int row = 0; row < rows; row++) {
            for (int col = 0; col < cols; col++) {
                double element = w[row * cols + col];
                squares[columns ? col : row] += element * element;
            }
        }
        return squares;
    }

    /** {@code norm² = squares[j] + Σ_i b[j, i] · (2s · aw[i, j] + s² · ba[j, i])}, then one over its root. */
    static double[] inverseNorms(double[] squares, double[] b, double[] aw, double[] ba, int rank, double scaling) {
        int n = squares.length;
        double[] inverse = new double[n];
        for (int j = 0; j < n; j++) {
            double square = squares[j];
            for (int i = 0; i < rank; i++) {
                square += b[j * rank + i] * (2 * scaling * aw[i * n + j] + scaling * scaling * ba[j * rank + i]);
            }
            inverse[j] = 1 / Math.sqrt(square);
        }
        return inverse;
    }

    /** {@code (x − bias) · factors + bias} by column. */
    static double[] rescale(double[] x, double[] factors, double[] bias) {
        int cols = factors.length;
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            int col = i % cols;
            y[i] = (x[i] - bias[col]) * factors[col] + bias[col];
        }
        return y;
    }

    /** {@code Σ_rows dy · (x − bias) · inverseNorms}. */
    static double[] rescaleBackward(double[] x, double[] inverseNorms, double[] bias, double[] dy) {
        int cols = inverseNorms.length;
        double[] gradient = new double[cols];
        for (int i = 0; i < x.length; i++) {
            int col = i % cols;
            gradient[col] += dy[i] * (x[i] - bias[col]) * inverseNorms[col];
        }
        return gradient;
    }
}
