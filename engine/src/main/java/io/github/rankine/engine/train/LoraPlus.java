package io.github.rankine.engine.train;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tape.Parameter;

/**
 * LoRA+ (Hayou et al. 2024): B learns faster than A. As in PEFT, vectors (magnitudes, biases, gains) learn at B's rate, and an adapter of
 * the embedding at one of its own; all follow the schedule.
 *
 * @param ratio         of B's learning rate to A's; PEFT's loraplus_lr_ratio
 * @param embeddingRate peak learning rate of an embedding's adapter; PEFT's loraplus_lr_embedding
 */
public record LoraPlus(double ratio, double embeddingRate) {
    /** PEFT's learning rate of embeddings. */
    public static final double EMBEDDING_RATE = 1e-6;

    /** One learning rate for all. */
    public static final LoraPlus OFF = new LoraPlus(1, EMBEDDING_RATE);

    /** @throws RankineException when a number is out of its range */
    public LoraPlus {
        if (!(ratio > 0) || Double.isInfinite(ratio)) {
            throw new RankineException("loraplus lr ratio " + ratio + ": must be a positive number");
        }
        if (!(embeddingRate > 0) || Double.isInfinite(embeddingRate)) {
            throw new RankineException("loraplus lr embedding " + embeddingRate + ": must be a positive number");
        }
    }

    /** The factor of a parameter's learning rate, beside {@code learningRate} for what is like A. */
    double factor(Parameter parameter, double learningRate) {
        String name = parameter.name();
        if (equals(OFF)) {
            return 1;
        }
        if (name.contains(".lora_embedding_")) {
            return embeddingRate / learningRate;
        }
        boolean vector = parameter.value().rows() == 1 && !name.contains(".lora_A.") && !name.startsWith("prefix.");
        return vector || name.contains(".lora_B.") ? ratio : 1;
    }
}
