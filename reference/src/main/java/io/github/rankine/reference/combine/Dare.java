package io.github.rankine.reference.combine;

import io.github.rankine.engine.kernels.Dropout;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * DARE (Yu et al. 2023, "Language Models are Super Mario", equation 1): of each ΔWᵢ an element is kept with the probability
 * {@code density}, and what is kept is divided by it, so that the expectation stays; the weighted sum of what is left meets fewer elements
 * that both updates change. Which are kept is {@link Dropout}'s hash of a seed, the update and the element.
 */
public final class Dare {
    private Dare() {}

    /**
     * {@code Σ wᵢ · kept(ΔWᵢ) / density}.
     *
     * @param updates of one shape
     * @param density in (0, 1]; 1 drops nothing
     * @param seed    of this module
     * @throws io.github.rankine.engine.RankineException where an element of a factor is not a finite number
     */
    public static Tensor sum(List<WeightedUpdate> updates, double density, long seed, Kernels kernels, Arena arena) {
        Tensor sum = Tensor.allocate(
                arena, updates.getFirst().rows(), updates.getFirst().cols());
        for (int k = 0; k < updates.size(); k++) {
            long own = Dropout.seedOf(seed, k);
            double factor = updates.get(k).weight() / density;
            try (Arena scratch = Arena.ofShared()) {
                Tensor update = updates.get(k).form(kernels, scratch);
                for (long i = 0; i < sum.rows(); i++) {
                    for (long j = 0; j < sum.cols(); j++) {
                        if (Dropout.uniform(own, i * sum.cols() + j) < density) {
                            sum.set(i, j, (float) (sum.get(i, j) + factor * update.get(i, j)));
                        }
                    }
                }
            }
        }
        return sum;
    }
}
