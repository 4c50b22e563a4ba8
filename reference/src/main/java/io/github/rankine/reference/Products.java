package io.github.rankine.reference;

/** Matrix products in the three orientations of a linear layer. */
final class Products {
    private Products() {}

    /** {@code alpha · a[m, k] · b[n, k]ᵀ}: the forward product. */
    static double[] matmulNT(double[] a, double[] b, int m, int n, int k, double alpha) {
        double[] c = new double[m * n];
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                double sum = 0;
                for (int p = 0; p < k; p++) {
                    sum += a[i * k + p] * b[j * k + p];
                }
                c[i * n + j] = alpha * sum;
            }
        }
        return c;
    }

    /** {@code alpha · a[m, k] · b[k, n]}: the gradient of the input. */
    static double[] matmulNN(double[] a, double[] b, int m, int n, int k, double alpha) {
        double[] c = new double[m * n];
        for (int i = 0; i < m; i++) {
            for (int p = 0; p < k; p++) {
                double factor = alpha * a[i * k + p];
                for (int j = 0; j < n; j++) {
                    c[i * n + j] += factor * b[p * n + j];
                }
            }
        }
        return c;
    }

    /** {@code alpha · a[k, m]ᵀ · b[k, n]}: the gradient of the weight. */
    static double[] matmulTN(double[] a, double[] b, int m, int n, int k, double alpha) {
        double[] c = new double[m * n];
        for (int p = 0; p < k; p++) {
            for (int i = 0; i < m; i++) {
                double factor = alpha * a[p * m + i];
                for (int j = 0; j < n; j++) {
                    c[i * n + j] += factor * b[p * n + j];
                }
            }
        }
        return c;
    }
}
