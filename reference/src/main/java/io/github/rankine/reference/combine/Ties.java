package io.github.rankine.reference.combine;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/**
 * TIES-Merging (Yadav et al. 2023, algorithm 1): updates interfere where small elements dilute large ones and where signs differ, so
 *
 * <pre>
 *   trim     each ΔWᵢ keeps the share {@code density} of its elements that is largest by magnitude
 *   elect    the sign of an element is that of Σ ΔWᵢ, over all magnitudes
 *   merge    an element is the mean of wᵢ · ΔWᵢ over those i that have the elected sign
 * </pre>
 *
 * <p>As in PEFT the weights enter at the merge alone: they decide neither what is trimmed nor which sign wins.
 */
public final class Ties {
    private Ties() {}

    /**
     * The merged update.
     *
     * @param updates of one shape
     * @param density in (0, 1]; 1 trims nothing
     * @throws io.github.rankine.engine.RankineException where an element of a factor is not a finite number
     */
    public static Tensor merge(List<WeightedUpdate> updates, double density, Kernels kernels, Arena arena) {
        List<Tensor> trimmed = new ArrayList<>();
        for (WeightedUpdate update : updates) {
            Tensor whole = update.form(kernels, arena);
            Magnitudes.keepLargest(whole, (long) (density * whole.size()));
            trimmed.add(whole);
        }
        double[] weights = updates.stream().mapToDouble(WeightedUpdate::weight).toArray();
        Tensor merged = Tensor.allocate(
                arena, updates.getFirst().rows(), updates.getFirst().cols());
        float[] elements = new float[weights.length];
        for (long i = 0; i < merged.rows(); i++) {
            for (long j = 0; j < merged.cols(); j++) {
                for (int k = 0; k < elements.length; k++) {
                    elements[k] = trimmed.get(k).get(i, j);
                }
                merged.set(i, j, merge(elements, weights));
            }
        }
        return merged;
    }

    private static float merge(float[] elements, double[] weights) {
        double total = 0;
        for (float element : elements) {
            total += element;
        }
        double sum = 0;
        int agreeing = 0;
        for (int k = 0; k < elements.length; k++) {
            // What was trimmed is zero and has neither sign.
            if (total >= 0 ? elements[k] > 0 : elements[k] < 0) {
                sum += weights[k] * elements[k];
                agreeing++;
            }
        }
        return (float) (sum / Math.max(1, agreeing));
    }
}
