package io.github.rankine.engine.tape;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.Tensor;
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

    /** {@code x − y}; the result takes over {@code x}'s memory, which no gradient needs. */
    public static Variable subtract(Tape tape, Variable x, Variable y) {
        addNegative(tape, y.value(), x.value());
        Variable difference = tape.outputInPlace(x, x.requiresGradient() || y.requiresGradient());
        tape.record(difference, List.of(), List.of(), () -> {
            if (y.requiresGradient() && y.hasGradient()) {
                addNegative(tape, difference.gradient(), y.gradient());
            } else if (y.requiresGradient()) {
                tape.kernels().scale(difference.gradient(), -1, tape.gradient(y));
            }
            tape.passGradient(difference, x);
        });
        return difference;
    }

    private static void addNegative(Tape tape, Tensor x, Tensor y) {
        Buffer negative = tape.take(x.rows(), x.cols());
        tape.kernels().scale(x, -1, negative.tensor());
        tape.kernels().add(negative.tensor(), y);
        tape.give(negative);
    }

    /** Inverted dropout of {@code x} ({@link Kernels#dropout}). */
    public static Variable dropout(Tape tape, Variable x, float probability, long seed) {
        Kernels kernels = tape.kernels();
        Variable y = tape.output(x.rows(), x.cols(), x.requiresGradient());
        kernels.dropout(x.value(), y.value(), probability, seed, false);
        tape.record(y, List.of(), List.of(), () -> {
            boolean accumulate = x.hasGradient();
            kernels.dropout(y.gradient(), tape.gradient(x), probability, seed, accumulate);
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

    /** {@code tanh(x)}; the result takes over {@code x}'s memory, which no gradient needs. */
    public static Variable tanh(Tape tape, Variable x) {
        Kernels kernels = tape.kernels();
        kernels.tanh(x.value(), x.value());
        Variable y = tape.outputInPlace(x, x.requiresGradient());
        tape.record(y, List.of(y), List.of(), () -> {
            kernels.tanhBackward(y.value(), y.gradient(), y.gradient());
            tape.passGradient(y, x);
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
