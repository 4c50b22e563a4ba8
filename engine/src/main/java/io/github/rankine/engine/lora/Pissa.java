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
 * PiSSA (Meng et al. 2024): A and B begin as the weight's principal part and are trained over what is left of it,
 * {@code W − scaling · B₀ · A₀}. That residual is never formed: what A₀ and B₀ give is taken off the layer's output instead, so that
 * the base stays mapped as it is, in whatever type.
 *
 * @param update  A and B
 * @param initial A₀ and B₀, which are never trained
 */
public record Pissa(PlainLora update, PlainLora initial) implements LoraModule {
    @Override
    public List<Parameter> parameters() {
        return update.parameters();
    }

    @Override
    public long frozenBytes() {
        return initial.a().value().bytes() + initial.b().value().bytes();
    }

    @Override
    public LoraWeights stored() {
        return update.stored();
    }

    @Override
    public Variable apply(Tape tape, Variable x, Variable y, LinearBase base, long seed) {
        LowRank principal = new LowRank(initial.a(), initial.b(), (float) -initial.scaling(), 0, seed);
        Variable residual = LinearOperations.lowRank(tape, x, y, principal);
        return update.apply(tape, x, residual, base, seed);
    }

    @Override
    public Tensor mergeInto(Kernels kernels, Weight base, boolean transposed, Arena arena) {
        Tensor merged = update.mergeInto(kernels, base, transposed, arena);
        initial.addTo(merged, kernels, -initial.scaling(), transposed);
        return merged;
    }

    /**
     * The same as plain LoRA over the base itself: {@code B · A − B₀ · A₀ = [B, −B₀] · [A; A₀]}, of twice the rank and the same
     * scaling, as PEFT converts it.
     */
    public LoraWeights asLora(Arena arena) {
        Weight a = a().value();
        Weight b = b().value();
        long rank = a.rows();
        Tensor stackedA = Tensor.allocate(arena, 2 * rank, a.cols());
        stackedA.rows(0, rank).copyFrom(a.asTensor());
        stackedA.rows(rank, rank).copyFrom(initial.a().value().asTensor());
        Tensor stackedB = Tensor.allocate(arena, b.rows(), 2 * rank);
        stackedB.cols(0, rank).copyFrom(b.asTensor());
        for (long row = 0; row < b.rows(); row++) {
            for (long col = 0; col < rank; col++) {
                stackedB.set(row, rank + col, -initial.b().value().get(row, col));
            }
        }
        return new LoraWeights(stackedA.asWeight(), stackedB.asWeight());
    }
}
