package io.github.rankine.engine.lora;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.OptionalInt;

/** Takes the principal parts out of weights, for PiSSA. */
@FunctionalInterface
public interface PrincipalComponents {
    /** None to be had: PiSSA is refused. */
    PrincipalComponents NONE = (layers, iterations, arena) -> {
        throw new RankineException("PiSSA needs singular value decompositions, which were not given");
    };

    /**
     * A layer's weight, and how much of it is wanted.
     *
     * @param shape  the layer
     * @param weight {@code [out, in]}, or {@code [in, out]} when the layer says that it is transposed
     * @param rank   of its principal part
     */
    record Layer(LinearShape shape, Weight weight, int rank) {}

    /**
     * The factors of each weight's best approximation of its rank (Meng et al. 2024, equations 2 and 3): with {@code W = U · Σ · Vᵀ},
     * {@code A = √Σ · Vᵀ} and {@code B = U · √Σ} of the largest singular values.
     *
     * @param iterations power iterations of a fast decomposition; empty for an exact one
     * @return {@code [r, in]} and {@code [out, r]} in {@code arena}, a pair a layer
     */
    List<LoraWeights> of(List<Layer> layers, OptionalInt iterations, Arena arena);
}
