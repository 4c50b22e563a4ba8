package io.github.rankine.engine.generate;

import io.github.rankine.engine.RankineException;
import java.util.Set;

/**
 * How tokens are chosen; names as in Transformers.
 *
 * @param maxNewTokens      tokens to add at most
 * @param temperature       divides the logits; 0 takes the likeliest token (greedy)
 * @param topK              choose among this many likeliest tokens; 0 among all
 * @param topP              choose among the likeliest tokens whose probabilities reach this sum; 1 among all
 * @param repetitionPenalty divides the positive logits of tokens seen, multiplies negative ones (Keskar et al. 2019); 1 does nothing
 * @param stopTokens        end the text and are not part of it
 * @param seed              of the random numbers
 */
public record GenerationConfig(
        int maxNewTokens,
        double temperature,
        int topK,
        double topP,
        double repetitionPenalty,
        Set<Integer> stopTokens,
        long seed) {

    /** @throws RankineException when a number is out of its range */
    public GenerationConfig {
        require(maxNewTokens >= 0, "max new tokens", maxNewTokens, "at least 0");
        require(
                temperature >= 0 && Double.isFinite(temperature),
                "temperature",
                temperature,
                "at least 0 (0 is greedy)");
        require(topK >= 0, "top k", topK, "at least 1, or 0 for all");
        require(topP > 0 && topP <= 1, "top p", topP, "above 0 and at most 1");
        require(
                repetitionPenalty > 0 && Double.isFinite(repetitionPenalty),
                "repetition penalty",
                repetitionPenalty,
                "above 0");
        stopTokens = Set.copyOf(stopTokens);
    }

    /** Always the likeliest token. */
    public static GenerationConfig greedy(int maxNewTokens, Set<Integer> stopTokens) {
        return new GenerationConfig(maxNewTokens, 0, 0, 1, 1, stopTokens, 0);
    }

    private static void require(boolean condition, String name, Number value, String expected) {
        if (!condition) {
            throw new RankineException(name + " " + value + ": must be " + expected);
        }
    }
}
