package io.github.rankine.reference;

/** Negative log-likelihood of one target a row of {@code logits[n, vocabulary]}. */
final class CrossEntropy {
    private CrossEntropy() {}

    /** {@code log Σ_j exp(logits[j]) − logits[target]}, {@code [n, 1]}. */
    static double[] losses(double[] logits, int[] targets) {
        int vocabulary = logits.length / Math.max(1, targets.length);
        double[] losses = new double[targets.length];
        for (int i = 0; i < targets.length; i++) {
            losses[i] = logSumExp(logits, i * vocabulary, vocabulary) - logits[i * vocabulary + targets[i]];
        }
        return losses;
    }

    /** {@code (softmax(logits) − onehot(target)) · scale}: the gradient of {@code scale · Σ losses}. */
    static double[] backward(double[] logits, int[] targets, double scale) {
        int vocabulary = logits.length / Math.max(1, targets.length);
        double[] gradient = new double[logits.length];
        for (int i = 0; i < targets.length; i++) {
            double logSumExp = logSumExp(logits, i * vocabulary, vocabulary);
            for (int j = i * vocabulary; j < (i + 1) * vocabulary; j++) {
                gradient[j] = scale * Math.exp(logits[j] - logSumExp);
            }
            gradient[i * vocabulary + targets[i]] -= scale;
        }
        return gradient;
    }

    private static double logSumExp(double[] logits, int from, int count) {
        double max = Double.NEGATIVE_INFINITY;
        for (int j = from; j < from + count; j++) {
            max = Math.max(max, logits[j]);
        }
        double sum = 0;
        for (int j = from; j < from + count; j++) {
            sum += Math.exp(logits[j] - max);
        }
        return max + Math.log(sum);
    }
}
