package io.github.rankine.engine.tape;

import io.github.rankine.engine.kernels.Kernels;
import java.util.List;

/** Element-wise operations and the residual sum. All operands of one have one shape, {@code [n, d]}. */
public final class PointwiseOperations {
    private PointwiseOperations() {}

    /** {@code x + delta}; the result takes over {@code delta}'s memory, which no gradient needs. */
    public static Variable residual(Tape tape, Variable x, Variable delta) {
        tape.kernels().add(x.value(), delta.value());
        Variable y = tape.outputInPlace(delta, x.requiresGradient() || delta.requiresGradient());
        tape.record(y, List.of(), List.of(), () -> {
            // delta's gradient is read by the operations after x in the tape, before any of x's other readers adds
            // to x's: the two share one buffer.
            if (x.requiresGradient() && !x.hasGradient()) {
                tape.passGradient(y, x);
                if (delta.requiresGradient()) {
                    delta.setGradient(Buffer.view(x.gradient()));
                }
            } else {
                tape.passGradient(y, x);
                tape.passGradient(y, delta);
            }
        });
        return y;
    }

    /** {@code silu(gate) · up} (Shazeer 2020). */
    public static Variable swiglu(Tape tape, Variable gate, Variable up) {
        Kernels kernels = tape.kernels();
        Variable y = tape.output(gate.rows(), gate.cols(), gate.requiresGradient() || up.requiresGradient());
        kernels.swiglu(gate.value(), up.value(), y.value());
        y.recomputeBy(value -> kernels.swiglu(gate.value(), up.value(), value));
        tape.record(y, List.of(gate, up), List.of(), () -> {
            kernels.swigluBackward(gate.value(), up.value(), y.gradient(), tape.gradient(gate), y.gradient());
            tape.passGradient(y, up);
            tape.settle(gate);
        });
        return y;
    }

    /** {@code gelu(x)}, exact or by the tanh approximation (Hendrycks and Gimpel 2016). */
    public static Variable gelu(Tape tape, Variable x, boolean tanhApproximation) {
        Kernels kernels = tape.kernels();
        Variable y = tape.output(x.rows(), x.cols(), x.requiresGradient());
        kernels.gelu(x.value(), y.value(), tanhApproximation);
        y.recomputeBy(value -> kernels.gelu(x.value(), value, tanhApproximation));
        tape.record(y, List.of(x), List.of(), () -> {
            boolean accumulate = x.hasGradient();
            kernels.geluBackward(x.value(), y.gradient(), tape.gradient(x), tanhApproximation, accumulate);
        });
        return y;
    }
}
