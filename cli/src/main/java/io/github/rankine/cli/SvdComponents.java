package io.github.rankine.cli;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.lora.PrincipalComponents;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.reference.lowrank.Decomposition;
import io.github.rankine.reference.lowrank.FullSvd;
import io.github.rankine.reference.lowrank.RandomizedSvd;
import java.lang.foreign.Arena;
import java.util.OptionalInt;

/**
 * Principal components from singular value decompositions.
 *
 * @param kernels what the fast ones compute with
 */
record SvdComponents(Kernels kernels) implements PrincipalComponents {
    @Override
    public LoraWeights of(
            String name, Weight weight, boolean transposed, int rank, OptionalInt iterations, Arena arena) {
        Decomposition parts;
        try (Arena scratch = Arena.ofShared()) {
            Tensor matrix = transposed ? weight.transposed(scratch) : weight.toTensor(scratch);
            parts = (iterations.isPresent()
                            ? RandomizedSvd.of(name, matrix, rank, iterations.getAsInt(), kernels)
                            : FullSvd.of(name, matrix))
                    .truncated(rank);
        }
        Tensor a = Tensor.allocate(arena, rank, parts.cols());
        Tensor b = Tensor.allocate(arena, parts.rows(), rank);
        for (int i = 0; i < parts.values().length; i++) {
            double root = Math.sqrt(parts.values()[i]);
            for (int col = 0; col < parts.cols(); col++) {
                a.set(i, col, (float) (root * parts.right()[i][col]));
            }
            for (int row = 0; row < parts.rows(); row++) {
                b.set(row, i, (float) (root * parts.left()[i][row]));
            }
        }
        return new LoraWeights(a.asWeight(), b.asWeight());
    }
}
