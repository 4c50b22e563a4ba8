package io.github.rankine.engine.prefix;

import io.github.rankine.engine.RankineException;

/**
 * What a prefix is like.
 *
 * @param virtualTokens number of virtual tokens
 * @param hidden        width of the perceptron that makes their keys and values; 0 where these are learned themselves
 */
public record PrefixConfig(int virtualTokens, int hidden) {
    /** @throws RankineException when a number is out of its range */
    public PrefixConfig {
        if (virtualTokens < 1) {
            throw new RankineException("virtual tokens " + virtualTokens + ": a prefix has at least 1");
        }
        if (hidden < 0) {
            throw new RankineException("prefix projection " + hidden + ": must be a number of features above 0");
        }
    }
}
