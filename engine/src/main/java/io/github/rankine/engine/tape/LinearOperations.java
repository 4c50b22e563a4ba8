package io.github.rankine.engine.tape;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.util.List;

/** Products with weights. */
public final class LinearOperations {
    private LinearOperations() {}

    /**
     * {@code y[n, out] = x[n, in] · Wᵀ + bias}, or {@code x · W} for a weight that is stored transposed.
     *
     * @param weight     {@code [out, in]}, or {@code [in, out]} when {@code transposed}
     * @param bias       {@code [1, out]} or null
     * @param transposed GPT-2's Conv1D layout
     */
    public static Variable linear(Tape tape, Variable x, Parameter weight, Parameter bias, boolean transposed) {
        return linear(tape, x, weight, bias, transposed, null);
    }

    /** {@link #linear} with an update, or null: the layer's product and the update's are one pass over the output, and over the input's gradient. */
    public static Variable linear(
            Tape tape, Variable x, Parameter weight, Parameter bias, boolean transposed, LowRank update) {
        Kernels kernels = tape.kernels();
        boolean trainable = weight.isTrainable()
                || (bias != null && bias.isTrainable())
                || (update != null && update.isTrainable());
        long outputs = transposed ? weight.value().cols() : weight.value().rows();
        LowRankBranch branch = update == null ? null : new LowRankBranch(tape, x, update);
        Variable y = tape.output(x.rows(), outputs, x.requiresGradient() || trainable);
        if (branch != null && !transposed) {
            kernels.matmulNT(
                    x.value(), weight.value(), branch.u().tensor(), update.b().value(), y.value(), false);
        } else {
            product(kernels, x.value(), weight.value(), !transposed, y.value(), false);
            if (branch != null) {
                kernels.matmulNT(branch.u().tensor(), update.b().value(), y.value(), 1, true);
            }
        }
        if (bias != null) {
            kernels.addBias(y.value(), bias.value());
        }
        boolean needsInput =
                weight.isTrainable() || (update != null && update.a().isTrainable());
        tape.record(y, needsInput ? List.of(x) : List.of(), branch == null ? List.of() : List.of(branch.u()), () -> {
            Tensor dy = y.gradient();
            if (bias != null && bias.isTrainable()) {
                kernels.addBiasBackward(dy, bias.gradient());
            }
            if (weight.isTrainable() && transposed) {
                kernels.matmulTN(x.value(), dy, weight.gradient(), 1, true);
            } else if (weight.isTrainable()) {
                kernels.matmulTN(dy, x.value(), weight.gradient(), 1, true);
            }
            Buffer du = branch == null ? null : branch.gradients(dy);
            if (x.requiresGradient()) {
                boolean accumulate = x.hasGradient();
                Tensor dx = tape.gradient(x);
                if (branch != null && !transposed && !branch.drops()) {
                    Weight a = update.a().value();
                    kernels.matmulNN(dy, weight.value(), du.tensor(), a, dx, accumulate);
                } else {
                    product(kernels, dy, weight.value(), transposed, dx, accumulate);
                    if (branch != null) {
                        branch.addInputGradient(du, dx, true);
                    }
                }
            }
            if (du != null) {
                tape.give(du);
            }
        });
        return y;
    }

    private static void product(Kernels kernels, Tensor a, Weight b, boolean transposed, Tensor c, boolean accumulate) {
        if (transposed) {
            kernels.matmulNT(a, b, c, 1, accumulate);
        } else {
            kernels.matmulNN(a, b, c, 1, accumulate);
        }
    }

    /** {@code ys[i][n, out] = x[n, in] · Ws[i]ᵀ}, on a tape without gradients. */
    public static List<Variable> products(Tape tape, Variable x, List<Parameter> weights) {
        List<Weight> values = weights.stream().map(Parameter::value).toList();
        List<Variable> ys = values.stream()
                .map(weight -> tape.output(x.rows(), weight.rows(), false))
                .toList();
        tape.kernels()
                .matmulNT(x.value(), values, ys.stream().map(Variable::value).toList());
        return ys;
    }

    /**
     * {@code y += scaling · dropout(x) · Aᵀ · Bᵀ}: an update of what a layer has computed from {@code x}.
     *
     * @param x {@code [n, in]}
     * @param y {@code [n, out]}, the layer's own output; its memory becomes the result's
     */
    public static Variable lowRank(Tape tape, Variable x, Variable y, LowRank update) {
        Kernels kernels = tape.kernels();
        LowRankBranch branch = new LowRankBranch(tape, x, update);
        kernels.matmulNT(branch.u().tensor(), update.b().value(), y.value(), 1, true);
        Variable result = tape.outputInPlace(y, x.requiresGradient() || y.requiresGradient() || update.isTrainable());
        tape.record(result, update.a().isTrainable() ? List.of(x) : List.of(), List.of(branch.u()), () -> {
            Buffer du = branch.gradients(result.gradient());
            if (x.requiresGradient()) {
                boolean accumulate = x.hasGradient();
                branch.addInputGradient(du, tape.gradient(x), accumulate);
            }
            tape.give(du);
            tape.passGradient(result, y);
        });
        return result;
    }
}
