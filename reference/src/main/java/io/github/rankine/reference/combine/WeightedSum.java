package io.github.rankine.reference.combine;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * The weighted sum of updates, in factors: with the A's one below another and the B's side by side
 * {@code Σ wᵢ · sᵢ · Bᵢ · Aᵢ = [w₁s₁B₁ | w₂s₂B₂ | …] · [A₁; A₂; …]}, so nothing but the rounding of {@code wᵢ · sᵢ · Bᵢ} is lost and the ranks add up.
 */
public final class WeightedSum {
    private WeightedSum() {}

    /**
     * The factors of the sum, to be scaled by 1.
     *
     * @param updates of one shape
     * @throws RankineException where an element is not a finite number, or is too large for float32 once it is weighted
     */
    public static LoraWeights of(List<WeightedUpdate> updates, Arena arena) {
        WeightedUpdate first = updates.getFirst();
        int rank = updates.stream().mapToInt(update -> update.factors().rank()).sum();
        Tensor a = Tensor.allocate(arena, rank, first.cols());
        Tensor b = Tensor.allocate(arena, first.rows(), rank);
        long start = 0;
        for (WeightedUpdate update : updates) {
            update.requireFinite();
            int own = update.factors().rank();
            for (long r = 0; r < own; r++) {
                for (long j = 0; j < a.cols(); j++) {
                    a.set(start + r, j, update.factors().a().get(r, j));
                }
                for (long i = 0; i < b.rows(); i++) {
                    b.set(i, start + r, weighted(update, i, r));
                }
            }
            start += own;
        }
        return new LoraWeights(a.asWeight(), b.asWeight());
    }

    private static float weighted(WeightedUpdate update, long row, long col) {
        double factor = update.weight() * update.scaling();
        float element = (float) (factor * update.factors().b().get(row, col));
        if (!Float.isFinite(element)) {
            throw new RankineException(update.name() + ".lora_B.weight: element [" + row + ", " + col + "] times "
                    + factor + " is more than float32 holds; choose a smaller weight");
        }
        return element;
    }
}
