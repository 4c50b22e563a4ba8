package io.github.rankine.engine.tape;

import io.github.rankine.engine.kernels.Kernels;
import java.util.List;

/** Normalisation of rows {@code x[n, d]}. */
public final class NormOperations {
    private NormOperations() {}

    /** {@code x / √(mean(x²) + eps) · weight} (Zhang and Sennrich 2019); {@code weight [1, d]}. */
    public static Variable rmsNorm(Tape tape, Variable x, Parameter weight, float eps) {
        Kernels kernels = tape.kernels();
        Variable y = tape.output(x.rows(), x.cols(), x.requiresGradient() || weight.isTrainable());
        Buffer inverseRms = tape.take(x.rows(), 1);
        kernels.rmsNorm(x.value(), weight.value(), eps, y.value(), inverseRms.tensor());
        y.recomputeBy(value -> kernels.rmsNorm(x.value(), weight.value(), eps, value, inverseRms.tensor()));
        tape.record(y, List.of(x), List.of(inverseRms), () -> {
            boolean accumulate = x.hasGradient();
            kernels.rmsNormBackward(
                    x.value(),
                    weight.value(),
                    inverseRms.tensor(),
                    y.gradient(),
                    tape.gradient(x),
                    accumulate,
                    weight.gradient());
            tape.settle(x);
        });
        return y;
    }

    /** {@code (x − mean) / √(variance + eps) · weight + bias} (Ba et al. 2016); {@code weight, bias [1, d]}. */
    public static Variable layerNorm(Tape tape, Variable x, Parameter weight, Parameter bias, float eps) {
        Kernels kernels = tape.kernels();
        boolean trainable = weight.isTrainable() || bias.isTrainable();
        Variable y = tape.output(x.rows(), x.cols(), x.requiresGradient() || trainable);
        Buffer statistics = tape.take(x.rows(), 2);
        kernels.layerNorm(x.value(), weight.value(), bias.value(), eps, y.value(), statistics.tensor());
        y.recomputeBy(
                value -> kernels.layerNorm(x.value(), weight.value(), bias.value(), eps, value, statistics.tensor()));
        tape.record(y, List.of(x), List.of(statistics), () -> {
            boolean accumulate = x.hasGradient();
            kernels.layerNormBackward(
                    x.value(),
                    weight.value(),
                    statistics.tensor(),
                    y.gradient(),
                    tape.gradient(x),
                    accumulate,
                    weight.gradient(),
                    bias.gradient());
            tape.settle(x);
        });
        return y;
    }
}
