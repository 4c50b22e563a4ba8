package io.github.rankine.reference.combine;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;

/**
 * What one adapter brings to a module: {@code weight · ΔW} with {@code ΔW = scaling · B · A}.
 *
 * @param name    the adapter's module, for messages
 * @param factors A and B
 * @param scaling of the product, by the adapter's configuration
 * @param weight  how much of it is wanted; may be negative
 */
public record WeightedUpdate(String name, LoraWeights factors, double scaling, double weight) {
    /** Output features, the rows of ΔW. */
    public long rows() {
        return factors.b().rows();
    }

    /** Input features, the columns of ΔW. */
    public long cols() {
        return factors.a().cols();
    }

    /**
     * ΔW in float32, without the weight.
     *
     * @throws RankineException where an element of A or B is not a finite number
     */
    Tensor form(Kernels kernels, Arena arena) {
        requireFinite();
        Tensor update = Tensor.allocate(arena, rows(), cols());
        try (Arena scratch = Arena.ofShared()) {
            kernels.matmulNN(factors.b().toTensor(scratch), factors.a(), update, (float) scaling, false);
        }
        return update;
    }

    /** Comparisons with NaN are false: it would be thinned out unseen. */
    void requireFinite() {
        requireFinite("lora_A", factors.a());
        requireFinite("lora_B", factors.b());
    }

    private void requireFinite(String factor, Weight matrix) {
        for (long i = 0; i < matrix.rows(); i++) {
            for (long j = 0; j < matrix.cols(); j++) {
                if (!Float.isFinite(matrix.get(i, j))) {
                    throw new RankineException(name + "." + factor + ".weight: element [" + i + ", " + j + "] is "
                            + matrix.get(i, j) + ": what is not finite cannot be combined; was the training run"
                            + " unstable?");
                }
            }
        }
    }
}
