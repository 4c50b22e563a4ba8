package io.github.rankine.reference;

/** Rows picked by index: embeddings, and the rows whose logits are wanted. */
final class Rows {
    private Rows() {}

    /** {@code y[i] = x[rows[i]]}, rows of {@code d} elements. */
    static double[] gather(double[] x, int[] rows, int d) {
        double[] y = new double[rows.length * d];
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(x, rows[i] * d, y, i * d, d);
        }
        return y;
    }

    /** {@code dx[rows[i]] += dy[i]} from zero, {@code dx} having {@code count} rows. */
    static double[] gatherBackward(double[] dy, int[] rows, int d, int count) {
        double[] dx = new double[count * d];
        for (int i = 0; i < rows.length; i++) {
            for (int j = 0; j < d; j++) {
                dx[rows[i] * d + j] += dy[i * d + j];
            }
        }
        return dx;
    }
}
