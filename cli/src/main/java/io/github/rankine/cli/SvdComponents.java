package io.github.rankine.cli;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.lora.PrincipalComponents;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.reference.lowrank.Decomposition;
import io.github.rankine.reference.lowrank.FullSvd;
import io.github.rankine.reference.lowrank.RandomizedSvd;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * Principal components from singular value decompositions, on all processors.
 *
 * @param kernels  what the fast ones compute with
 * @param terminal for the progress
 */
record SvdComponents(KernelOptions kernels, Terminal terminal) implements PrincipalComponents {
    @Override
    public List<LoraWeights> of(List<Layer> layers, OptionalInt iterations, Arena arena) {
        List<Decomposition> parts =
                ModuleWork.run(layers.stream().map(Layer::shape).toList(), kernels, terminal, (shape, own) -> {
                    Layer layer = layers.stream()
                            .filter(one -> one.shape().equals(shape))
                            .findFirst()
                            .orElseThrow();
                    return decompose(layer, iterations, own);
                });
        List<LoraWeights> factors = new ArrayList<>();
        for (int i = 0; i < parts.size(); i++) {
            factors.add(factors(parts.get(i), layers.get(i).rank(), arena));
        }
        return factors;
    }

    private static Decomposition decompose(Layer layer, OptionalInt iterations, Kernels own) {
        String name = layer.shape().name();
        try (Arena scratch = Arena.ofShared()) {
            Tensor matrix = layer.shape().transposed()
                    ? layer.weight().transposed(scratch)
                    : layer.weight().toTensor(scratch);
            Decomposition parts = iterations.isPresent()
                    ? RandomizedSvd.of(name, matrix, layer.rank(), iterations.getAsInt(), own)
                    : FullSvd.of(name, matrix);
            return parts.truncated(layer.rank());
        }
    }

    private static LoraWeights factors(Decomposition parts, int rank, Arena arena) {
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
