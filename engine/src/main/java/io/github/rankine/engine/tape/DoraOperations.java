package io.github.rankine.engine.tape;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.Tensor;
import java.util.List;

/** DoRA's scaling of a layer's outputs (Liu et al. 2024). */
public final class DoraOperations {
    private DoraOperations() {}

    /**
     * {@code y = (x − bias) · magnitude / norm + bias} by column. The norms are constants in the backward pass.
     *
     * @param x            {@code [n, out]}, bias included
     * @param magnitude    {@code [1, out]}
     * @param factors      {@code [1, out]}: magnitude / norm
     * @param inverseNorms {@code [1, out]}: 1 / norm
     * @param bias         {@code [1, out]} or null
     */
    public static Variable rescale(
            Tape tape, Variable x, Parameter magnitude, Tensor factors, Tensor inverseNorms, Parameter bias) {
        Kernels kernels = tape.kernels();
        boolean trainsBias = bias != null && bias.isTrainable();
        Variable y = tape.output(x.rows(), x.cols(), x.requiresGradient() || magnitude.isTrainable() || trainsBias);
        kernels.rescale(x.value(), factors, bias == null ? null : bias.value(), y.value());
        tape.record(y, magnitude.isTrainable() ? List.of(x) : List.of(), List.of(), () -> {
            Tensor dy = y.gradient();
            if (magnitude.isTrainable()) {
                kernels.rescaleBackward(
                        x.value(), inverseNorms, bias == null ? null : bias.value(), dy, magnitude.gradient());
            }
            if (trainsBias) {
                // bias · (1 − factor): what x's own bias adds is in x's gradient.
                kernels.addBiasBackward(dy, bias.gradient());
                Buffer scaled = tape.take(dy.rows(), dy.cols());
                kernels.rescale(dy, factors, null, scaled.tensor());
                kernels.scale(scaled.tensor(), -1, scaled.tensor());
                kernels.addBiasBackward(scaled.tensor(), bias.gradient());
                tape.give(scaled);
            }
            if (x.requiresGradient()) {
                kernels.rescale(dy, factors, null, tape.gradient(x));
            }
        });
        tape.done(x);
        return y;
    }
}
