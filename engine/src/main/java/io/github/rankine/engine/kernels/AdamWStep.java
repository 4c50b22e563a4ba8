package io.github.rankine.engine.kernels;

/**
 * The scalars of one AdamW step (Loshchilov and Hutter 2019, algorithm 2, as PyTorch computes it).
 *
 * @param step          number of the step, from 1; for the bias corrections
 * @param learningRate  of this step
 * @param beta1         decay of the first moment
 * @param beta2         decay of the second moment
 * @param epsilon       added to the root of the corrected second moment
 * @param weightDecay   decoupled: the parameter is first multiplied by {@code 1 − learningRate · weightDecay}
 * @param gradientScale factor of the gradient, for clipping by norm
 */
public record AdamWStep(
        int step,
        double learningRate,
        double beta1,
        double beta2,
        double epsilon,
        double weightDecay,
        double gradientScale) {
    /** {@code 1 − lr · wd}. */
    public double decayFactor() {
        return 1 - learningRate * weightDecay;
    }

    /** {@code lr / (1 − β₁ᵗ)}. */
    public double stepSize() {
        return learningRate / (1 - Math.pow(beta1, step));
    }

    /** {@code √(1 − β₂ᵗ)}. */
    public double secondCorrection() {
        return Math.sqrt(1 - Math.pow(beta2, step));
    }
}
