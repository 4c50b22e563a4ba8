package io.github.rankine.cli;

import io.github.rankine.engine.lora.AdapterWeights;
import io.github.rankine.engine.lora.BaseShape;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.reference.lowrank.Decomposition;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToIntFunction;

/** Adapters of any rank from a decomposed update, the nearest to it that there are (Eckart and Young 1936). */
final class Extraction {
    private final Map<String, Decomposition> updates;

    /** @param updates by module, with the vectors that the highest rank takes */
    Extraction(Map<String, Decomposition> updates) {
        this.updates = updates;
    }

    /** Each module's rank where all are to have {@code rank}: no more than it has singular values. */
    Map<String, Integer> ranks(int rank) {
        return ranks(update -> Math.min(rank, update.values().length));
    }

    private Map<String, Integer> ranks(ToIntFunction<Decomposition> rank) {
        Map<String, Integer> ranks = new LinkedHashMap<>();
        updates.forEach((module, update) -> ranks.put(module, rank.applyAsInt(update)));
        return ranks;
    }

    /** The share of the update's energy that these ranks keep. */
    double energy(Map<String, Integer> ranks) {
        double all = 0;
        double kept = 0;
        for (Map.Entry<String, Decomposition> entry : updates.entrySet()) {
            Decomposition update = entry.getValue();
            all += update.squaredNorm();
            kept += update.squaredNorm() * update.spectrum().energy(ranks.get(entry.getKey()));
        }
        return all == 0 ? 1 : kept / all;
    }

    /** Parameters of the adapter with these ranks. */
    long parameters(Map<String, Integer> ranks) {
        return updates.entrySet().stream()
                .mapToLong(entry -> (long) ranks.get(entry.getKey())
                        * (entry.getValue().rows() + entry.getValue().cols()))
                .sum();
    }

    /** What adapter_config.json says of an adapter with these ranks: alpha equals the rank, so that the update is B · A itself. */
    static LoraConfig config(Map<String, Integer> ranks) {
        int highest = ranks.values().stream().mapToInt(Integer::intValue).max().orElseThrow();
        Map<String, Integer> rankPattern = new LinkedHashMap<>();
        Map<String, Double> alphaPattern = new LinkedHashMap<>();
        ranks.forEach((module, rank) -> {
            if (rank != highest) {
                rankPattern.put(module, rank);
                alphaPattern.put(module, (double) rank);
            }
        });
        return new LoraConfig(
                highest,
                highest,
                0,
                new ModuleSelector.Suffixes(List.copyOf(ranks.keySet())),
                null,
                List.of(),
                List.of(),
                rankPattern,
                alphaPattern,
                false);
    }

    /** The factors, {@code A = √Σ · Vᵀ} and {@code B = U · √Σ}, each cut to its rank. */
    Map<String, LoraWeights> weights(Map<String, Integer> ranks, Arena arena) {
        Map<String, LoraWeights> weights = new LinkedHashMap<>();
        updates.forEach((module, update) -> {
            int rank = ranks.get(module);
            Tensor a = Tensor.allocate(arena, rank, update.cols());
            Tensor b = Tensor.allocate(arena, update.rows(), rank);
            for (int r = 0; r < rank; r++) {
                double root = Math.sqrt(update.values()[r]);
                for (int i = 0; i < update.rows(); i++) {
                    b.set(i, r, (float) (root * update.left()[r][i]));
                }
                for (int j = 0; j < update.cols(); j++) {
                    a.set(r, j, (float) (root * update.right()[r][j]));
                }
            }
            weights.put(module, new LoraWeights(a.asWeight(), b.asWeight()));
        });
        return weights;
    }

    /** The adapter with these ranks, to be activated. */
    LoraAdapter adapter(Map<String, Integer> ranks, BaseShape base, Arena arena) {
        return LoraAdapter.of(config(ranks), base, AdapterWeights.of(weights(ranks, arena)), arena);
    }
}
