package io.github.rankine.reference;

/** RMSNorm and LayerNorm over the rows of {@code x[n, d]}. */
final class Norms {
    private Norms() {}

    /**
     * @param y          {@code [n, d]}
     * @param inverseRms {@code [n, 1]}
     */
    record RmsNorm(double[] y, double[] inverseRms) {}

    static RmsNorm rmsNorm(double[] x, double[] weight, int n, double eps) {
        int d = weight.length;
        double[] y = new double[n * d];
        double[] inverseRms = new double[n];
        for (int i = 0; i < n; i++) {
            double squares = 0;
            for (int j = 0; j < d; j++) {
                squares += x[i * d + j] * x[i * d + j];
            }
            inverseRms[i] = 1 / Math.sqrt(squares / d + eps);
            for (int j = 0; j < d; j++) {
                y[i * d + j] = x[i * d + j] * inverseRms[i] * weight[j];
            }
        }
        return new RmsNorm(y, inverseRms);
    }

    /**
     * @param dx      {@code [n, d]}
     * @param dWeight {@code [1, d]}
     * @param dBias   {@code [1, d]}; null for RMSNorm
     */
    record Gradients(double[] dx, double[] dWeight, double[] dBias) {}

    /** With {@code r} the inverse RMS: {@code dx = r · (dy · w − x · r² · mean(dy · w · x))}. */
    static Gradients rmsNormBackward(double[] x, double[] weight, double[] inverseRms, double[] dy, int n) {
        int d = weight.length;
        double[] dx = new double[n * d];
        double[] dWeight = new double[d];
        for (int i = 0; i < n; i++) {
            double r = inverseRms[i];
            double mean = 0;
            for (int j = 0; j < d; j++) {
                mean += dy[i * d + j] * weight[j] * x[i * d + j] / d;
            }
            for (int j = 0; j < d; j++) {
                dx[i * d + j] = r * (dy[i * d + j] * weight[j] - x[i * d + j] * r * r * mean);
                dWeight[j] += dy[i * d + j] * x[i * d + j] * r;
            }
        }
        return new Gradients(dx, dWeight, null);
    }

    /**
     * @param y          {@code [n, d]}
     * @param statistics {@code [n, 2]}: mean and inverse standard deviation
     */
    record LayerNorm(double[] y, double[] statistics) {}

    static LayerNorm layerNorm(double[] x, double[] weight, double[] bias, int n, double eps) {
        int d = weight.length;
        double[] y = new double[n * d];
        double[] statistics = new double[2 * n];
        for (int i = 0; i < n; i++) {
            double mean = 0;
            for (int j = 0; j < d; j++) {
                mean += x[i * d + j] / d;
            }
            double variance = 0;
            for (int j = 0; j < d; j++) {
                variance += (x[i * d + j] - mean) * (x[i * d + j] - mean) / d;
            }
            double inverseDeviation = 1 / Math.sqrt(variance + eps);
            for (int j = 0; j < d; j++) {
                y[i * d + j] = (x[i * d + j] - mean) * inverseDeviation * weight[j] + bias[j];
            }
            statistics[2 * i] = mean;
            statistics[2 * i + 1] = inverseDeviation;
        }
        return new LayerNorm(y, statistics);
    }

    /**
     * With {@code x̂ = (x − mean) · r} and {@code g = dy · w}: {@code dx = r · (g − mean(g) − x̂ · mean(g · x̂))}.
     */
    static Gradients layerNormBackward(double[] x, double[] weight, double[] statistics, double[] dy, int n) {
        int d = weight.length;
        double[] dx = new double[n * d];
        double[] dWeight = new double[d];
        double[] dBias = new double[d];
        for (int i = 0; i < n; i++) {
            double mean = statistics[2 * i];
            double r = statistics[2 * i + 1];
            double meanOfG = 0;
            double meanOfGx = 0;
            for (int j = 0; j < d; j++) {
                double g = dy[i * d + j] * weight[j];
                meanOfG += g / d;
                meanOfGx += g * (x[i * d + j] - mean) * r / d;
            }
            for (int j = 0; j < d; j++) {
                double normal = (x[i * d + j] - mean) * r;
                dx[i * d + j] = r * (dy[i * d + j] * weight[j] - meanOfG - normal * meanOfGx);
                dWeight[j] += dy[i * d + j] * normal;
                dBias[j] += dy[i * d + j];
            }
        }
        return new Gradients(dx, dWeight, dBias);
    }
}
