package io.github.rankine.engine.lora;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tape.LinearOperations;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.Variable;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.util.List;

/** What an adapter does to one linear layer: add {@code ΔW = scaling · B · A}, or that and more. */
public sealed interface LoraModule permits PlainLora, Dora, Pissa {
    /** The low-rank update in it. */
    PlainLora update();

    /** {@code [r, in]}. */
    default Parameter a() {
        return update().a();
    }

    /** {@code [out, r]}. */
    default Parameter b() {
        return update().b();
    }

    /** α/r, or α/√r with rsLoRA. */
    default double scaling() {
        return update().scaling();
    }

    /** Everything in it that is trained. */
    List<Parameter> parameters();

    /** Bytes that it takes beside what is trained. */
    default long frozenBytes() {
        return 0;
    }

    /** The matrices that it is stored as. */
    LoraWeights stored();

    /** Whether any of it is being trained. */
    default boolean isTrainable() {
        return parameters().stream().anyMatch(Parameter::isTrainable);
    }

    /**
     * The layer's output with the adapter.
     *
     * @param x    {@code [n, in]}, the layer's input
     * @param y    {@code [n, out]}, the layer's own output; its memory becomes the result's
     * @param seed of this layer's dropout in this step
     */
    Variable apply(Tape tape, Variable x, Variable y, LinearBase base, long seed);

    /** The same of the layer's input alone; a module that can computes both at once. */
    default Variable apply(Tape tape, Variable x, LinearBase base, long seed) {
        Variable y = LinearOperations.linear(tape, x, base.weight(), base.bias(), base.transposed());
        return apply(tape, x, y, base, seed);
    }

    /**
     * The weight with the adapter in float32, whatever {@code base} is stored as: a 16-bit sum would round small updates away.
     *
     * @param base       {@code [out, in]}, or {@code [in, out]} when {@code transposed}
     * @param transposed whether {@code base} is stored that way
     */
    Tensor mergeInto(Kernels kernels, Weight base, boolean transposed, Arena arena);
}
