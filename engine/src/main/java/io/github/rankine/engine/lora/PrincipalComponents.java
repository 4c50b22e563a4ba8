package io.github.rankine.engine.lora;

import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.util.OptionalInt;

/** Takes the principal part out of a weight, for PiSSA. */
@FunctionalInterface
public interface PrincipalComponents {
    /**
     * The factors of a weight's best approximation of a rank (Meng et al. 2024, equations 2 and 3): with {@code W = U · Σ · Vᵀ},
     * {@code A = √Σ · Vᵀ} and {@code B = U · √Σ} of the largest singular values.
     *
     * @param name       of the weight, for messages
     * @param weight     {@code [out, in]}, or {@code [in, out]} when {@code transposed}
     * @param iterations power iterations of a fast decomposition; empty for an exact one
     * @return {@code [r, in]} and {@code [out, r]} in {@code arena}
     */
    LoraWeights of(String name, Weight weight, boolean transposed, int rank, OptionalInt iterations, Arena arena);
}
