package io.github.rankine.reference;

import io.github.rankine.engine.kernels.Dropout;

/** Operations on elements by themselves, and the bias, which is the same for every row. */
final class Elementwise {
    private static final double ROOT_2_OVER_PI = Math.sqrt(2 / Math.PI);
    private static final double CUBIC = 0.044715;

    private Elementwise() {}

    /** {@code alpha · x}. */
    static double[] scale(double[] x, double alpha) {
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i] = alpha * x[i];
        }
        return y;
    }

    /** {@code bias[d]} as every row of {@code [n, d]}. */
    static double[] bias(double[] bias, int n) {
        int d = bias.length;
        double[] y = new double[n * d];
        for (int i = 0; i < n; i++) {
            System.arraycopy(bias, 0, y, i * d, d);
        }
        return y;
    }

    /** {@code Σ_rows dy[n, d]}. */
    static double[] biasBackward(double[] dy, int n, int d) {
        double[] dBias = new double[d];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < d; j++) {
                dBias[j] += dy[i * d + j];
            }
        }
        return dBias;
    }

    /** {@code gate · σ(gate) · up}. */
    static double[] swiglu(double[] gate, double[] up) {
        double[] y = new double[gate.length];
        for (int i = 0; i < y.length; i++) {
            y[i] = gate[i] * sigmoid(gate[i]) * up[i];
        }
        return y;
    }

    record SwigluGradients(double[] dGate, double[] dUp) {}

    /** {@code silu'(x) = σ(x) · (1 + x · (1 − σ(x)))}. */
    static SwigluGradients swigluBackward(double[] gate, double[] up, double[] dy) {
        double[] dGate = new double[gate.length];
        double[] dUp = new double[gate.length];
        for (int i = 0; i < gate.length; i++) {
            double x = gate[i];
            double s = sigmoid(x);
            dGate[i] = dy[i] * up[i] * s * (1 + x * (1 - s));
            dUp[i] = dy[i] * x * s;
        }
        return new SwigluGradients(dGate, dUp);
    }

    private static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    /** {@code x · Φ(x)}, or with {@code Φ(x) ≈ (1 + tanh(√(2/π) · (x + 0.044715 x³))) / 2}. */
    static double[] gelu(double[] x, boolean tanhApproximation) {
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            double z = x[i];
            y[i] = tanhApproximation ? z * (1 + Math.tanh(tanhArgument(z))) / 2 : z * Gaussian.cumulative(z);
        }
        return y;
    }

    static double[] geluBackward(double[] x, double[] dy, boolean tanhApproximation) {
        double[] dx = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            double z = x[i];
            double slope;
            if (tanhApproximation) {
                double t = Math.tanh(tanhArgument(z));
                slope = (1 + t) / 2 + z * (1 - t * t) / 2 * ROOT_2_OVER_PI * (1 + 3 * CUBIC * z * z);
            } else {
                slope = Gaussian.cumulative(z) + z * Gaussian.density(z);
            }
            dx[i] = dy[i] * slope;
        }
        return dx;
    }

    private static double tanhArgument(double z) {
        return ROOT_2_OVER_PI * (z + CUBIC * z * z * z);
    }

    /** {@code x · keep / (1 − p)}; its own backward pass. */
    static double[] dropout(double[] x, float probability, long seed) {
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i] = Dropout.keeps(seed, i, probability) ? x[i] / (1 - (double) probability) : 0;
        }
        return y;
    }

    static double sumOfSquares(double[] x) {
        double sum = 0;
        for (double value : x) {
            sum += value * value;
        }
        return sum;
    }

    static double[] tanh(double[] x) {
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i] = Math.tanh(x[i]);
        }
        return y;
    }

    /** {@code dy · (1 − y²)}. */
    static double[] tanhBackward(double[] y, double[] dy) {
        double[] dx = new double[y.length];
        for (int i = 0; i < y.length; i++) {
            dx[i] = dy[i] * (1 - y[i] * y[i]);
        }
        return dx;
    }
}
