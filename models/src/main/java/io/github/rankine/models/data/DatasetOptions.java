package io.github.rankine.models.data;

import io.github.rankine.engine.RankineException;

/**
 * How records become samples.
 *
 * @param maxLength     tokens of a sample; what is longer is cut off at the end
 * @param trainOnPrompt whether the prompt is learned as well
 * @param vocabSize     the model's; every token id is below it
 */
public record DatasetOptions(int maxLength, boolean trainOnPrompt, int vocabSize) {
    public DatasetOptions {
        if (maxLength < 2) {
            throw new RankineException("maximum length " + maxLength + "; a sample needs at least 2 tokens");
        }
    }
}
