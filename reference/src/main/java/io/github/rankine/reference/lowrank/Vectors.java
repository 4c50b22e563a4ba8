package io.github.rankine.reference.lowrank;

/** Arithmetic on vectors of doubles. */
final class Vectors {
    private Vectors() {}

    static double dot(double[] a, double[] b) {
        // Four sums, which the compiler computes side by side; one would wait for itself at each step.
        double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        int i = 0;
        for (; i <= a.length - 4; i += 4) {
            s0 += a[i] * b[i];
            s1 += a[i + 1] * b[i + 1];
            s2 += a[i + 2] * b[i + 2];
            s3 += a[i + 3] * b[i + 3];
        }
        for (; i < a.length; i++) {
            s0 += a[i] * b[i];
        }
        return s0 + s1 + (s2 + s3);
    }

    /** {@code y += factor · x}. */
    static void addScaled(double factor, double[] x, double[] y) {
        for (int i = 0; i < y.length; i++) {
            y[i] += factor * x[i];
        }
    }

    static void scale(double factor, double[] x) {
        for (int i = 0; i < x.length; i++) {
            x[i] *= factor;
        }
    }

    /** {@code Σ weights[i] · vectors[i]}. */
    static double[] combine(double[] weights, double[][] vectors) {
        double[] sum = new double[vectors[0].length];
        for (int i = 0; i < vectors.length; i++) {
            if (weights[i] != 0) {
                addScaled(weights[i], vectors[i], sum);
            }
        }
        return sum;
    }

    static double[][] transpose(double[][] rows) {
        double[][] columns = new double[rows[0].length][rows.length];
        for (int i = 0; i < rows.length; i++) {
            for (int j = 0; j < columns.length; j++) {
                columns[j][i] = rows[i][j];
            }
        }
        return columns;
    }
}
