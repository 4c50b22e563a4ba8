package io.github.rankine.reference;

import io.github.rankine.engine.kernels.AdamWStep;

/** AdamW (Loshchilov and Hutter 2019) with the operations in PyTorch's order. */
final class AdamW {
    private AdamW() {}

    /** Changes {@code parameter} and both moments in place. */
    static void step(double[] parameter, double[] gradient, double[] first, double[] second, AdamWStep step) {
        for (int i = 0; i < parameter.length; i++) {
            double g = gradient[i] * step.gradientScale();
            parameter[i] *= step.decayFactor();
            first[i] += (g - first[i]) * (1 - step.beta1());
            second[i] = second[i] * step.beta2() + g * g * (1 - step.beta2());
            double denominator = Math.sqrt(second[i]) / step.secondCorrection() + step.epsilon();
            parameter[i] -= step.stepSize() * first[i] / denominator;
        }
    }
}
