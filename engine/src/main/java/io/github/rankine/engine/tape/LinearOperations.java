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
        Kernels kernels = tape.kernels();
        boolean trainable = weight.isTrainable() || (bias != null && bias.isTrainable());
        long outputs = transposed ? weight.value().cols() : weight.value().rows();
        Variable y = tape.output(x.rows(), outputs, x.requiresGradient() || trainable);
        if (transposed) {
            kernels.matmulNN(x.value(), weight.value(), y.value(), 1, false);
        } else {
            kernels.matmulNT(x.value(), weight.value(), y.value(), 1, false);
        }
        if (bias != null) {
            kernels.addBias(y.value(), bias.value());
        }
        tape.record(y, weight.isTrainable() ? List.of(x) : List.of(), List.of(), () -> {
            Tensor dy = y.gradient();
            if (bias != null && bias.isTrainable()) {
                kernels.addBiasBackward(dy, bias.gradient());
            }
            if (weight.isTrainable() && transposed) {
                kernels.matmulTN(x.value(), dy, weight.gradient(), 1, true);
            } else if (weight.isTrainable()) {
                kernels.matmulTN(dy, x.value(), weight.gradient(), 1, true);
            }
            if (x.requiresGradient()) {
                boolean accumulate = x.hasGradient();
                if (transposed) {
                    kernels.matmulNT(dy, weight.value(), tape.gradient(x), 1, accumulate);
                } else {
                    kernels.matmulNN(dy, weight.value(), tape.gradient(x), 1, accumulate);
                }
            }
        });
        return y;
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
     * {@code y += scaling · dropout(x) · Aᵀ · Bᵀ}: a low-rank update of what a layer computes from {@code x} (Hu et al. 2021).
     *
     * @param x       {@code [n, in]}
     * @param y       {@code [n, out]}, the layer's own output; its memory becomes the result's
     * @param a       {@code [r, in]}
     * @param b       {@code [out, r]}
     * @param scaling α/r or α/√r
     * @param dropout probability; has no effect on a tape without dropout
     * @param seed    of this layer's dropout in this step
     */
    public static Variable lowRank(
            Tape tape, Variable x, Variable y, Parameter a, Parameter b, float scaling, float dropout, long seed) {
        Kernels kernels = tape.kernels();
        long rank = a.value().rows();
        boolean drops = dropout > 0 && tape.dropsOut();
        boolean trainable = a.isTrainable() || b.isTrainable();
        Buffer u = tape.take(x.rows(), rank);
        Buffer dropped = drops ? dropped(tape, x, dropout, seed) : null;
        kernels.matmulNT(drops ? dropped.tensor() : x.value(), a.value(), u.tensor(), 1, false);
        if (drops) {
            tape.give(dropped);
        }
        kernels.matmulNT(u.tensor(), b.value(), y.value(), scaling, true);

        Variable result = tape.outputInPlace(y, x.requiresGradient() || y.requiresGradient() || trainable);
        tape.record(result, a.isTrainable() ? List.of(x) : List.of(), List.of(u), () -> {
            Tensor dy = result.gradient();
            Buffer du = tape.take(x.rows(), rank);
            kernels.matmulNN(dy, b.value(), du.tensor(), scaling, false);
            if (b.isTrainable()) {
                kernels.matmulTN(dy, u.tensor(), b.gradient(), scaling, true);
            }
            if (a.isTrainable()) {
                // Cheaper to drop again than to keep a second copy of x for the whole step.
                Buffer again = drops ? dropped(tape, x, dropout, seed) : null;
                kernels.matmulTN(du.tensor(), drops ? again.tensor() : x.value(), a.gradient(), 1, true);
                if (drops) {
                    tape.give(again);
                }
            }
            if (x.requiresGradient()) {
                boolean accumulate = x.hasGradient();
                Tensor dx = tape.gradient(x);
                if (drops) {
                    Buffer dDropped = tape.take(x.rows(), x.cols());
                    kernels.matmulNN(du.tensor(), a.value(), dDropped.tensor(), 1, false);
                    kernels.dropout(dDropped.tensor(), dx, dropout, seed, accumulate);
                    tape.give(dDropped);
                } else {
                    kernels.matmulNN(du.tensor(), a.value(), dx, 1, accumulate);
                }
            }
            tape.give(du);
            tape.passGradient(result, y);
        });
        return result;
    }

    private static Buffer dropped(Tape tape, Variable x, float dropout, long seed) {
        Buffer buffer = tape.take(x.rows(), x.cols());
        tape.kernels().dropout(x.value(), buffer.tensor(), dropout, seed, false);
        return buffer;
    }
}
