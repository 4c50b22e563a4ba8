package io.github.rankine.engine.lora;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tape.LinearOperations;
import io.github.rankine.engine.tape.LowRank;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.Variable;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * LoRA (Hu et al. 2021): {@code y + scaling · dropout(x) · Aᵀ · Bᵀ}.
 *
 * @param a       {@code [r, in]}
 * @param b       {@code [out, r]}
 * @param scaling α/r, or α/√r with rsLoRA
 * @param dropout probability of dropping an element of the layer's input on its way to A, while training
 */
public record PlainLora(Parameter a, Parameter b, double scaling, double dropout) implements LoraModule {
    @Override
    public PlainLora update() {
        return this;
    }

    @Override
    public List<Parameter> parameters() {
        return List.of(a, b);
    }

    @Override
    public LoraWeights stored() {
        return new LoraWeights(a.value(), b.value());
    }

    @Override
    public Variable apply(Tape tape, Variable x, Variable y, LinearBase base, long seed) {
        return LinearOperations.lowRank(tape, x, y, lowRank(seed));
    }

    @Override
    public Variable apply(Tape tape, Variable x, LinearBase base, long seed) {
        return LinearOperations.linear(tape, x, base.weight(), base.bias(), base.transposed(), lowRank(seed));
    }

    private LowRank lowRank(long seed) {
        return new LowRank(a, b, (float) scaling, (float) dropout, seed);
    }

    @Override
    public Tensor mergeInto(Kernels kernels, Weight base, boolean transposed, Arena arena) {
        Tensor merged = base.toTensor(arena);
        addTo(merged, kernels, scaling, transposed);
        return merged;
    }

    /** {@code weight += factor · B · A}. */
    void addTo(Tensor weight, Kernels kernels, double factor, boolean transposed) {
        try (Arena scratch = Arena.ofShared()) {
            if (transposed) {
                Tensor bTransposed = b.value().transposed(scratch);
                kernels.matmulTN(a.value().toTensor(scratch), bTransposed, weight, (float) factor, true);
            } else {
                kernels.matmulNN(b.value().toTensor(scratch), a.value(), weight, (float) factor, true);
            }
        }
    }
}
