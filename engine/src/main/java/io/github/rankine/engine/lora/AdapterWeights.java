package io.github.rankine.engine.lora;

import io.github.rankine.engine.tensor.Weight;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The weights that an adapter is stored as.
 *
 * @param modules    of linear layers, by module
 * @param embeddings of embeddings, by module: A {@code [r, vocabulary]} and B {@code [dim, r]}
 * @param replaced   weights and biases that take the place of the base's, under their names there
 */
public record AdapterWeights(
        Map<String, LoraWeights> modules, Map<String, LoraWeights> embeddings, Map<String, Weight> replaced) {
    /** Those of plain LoRA. */
    public static AdapterWeights of(Map<String, LoraWeights> modules) {
        return new AdapterWeights(modules, Map.of(), Map.of());
    }

    /** Number of elements of all. */
    public long parameters() {
        return lowRank().values().stream().mapToLong(LoraWeights::parameters).sum()
                + replaced.values().stream().mapToLong(Weight::size).sum();
    }

    /** Of all modules and embeddings, by name. */
    public Map<String, LoraWeights> lowRank() {
        Map<String, LoraWeights> all = new LinkedHashMap<>(modules);
        all.putAll(embeddings);
        return all;
    }
}
