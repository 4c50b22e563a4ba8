package io.github.rankine.engine.kernels;

/**
 * What one attention layer is like.
 *
 * @param heads         query heads
 * @param kvHeads       key and value heads; each serves {@code heads / kvHeads} neighbouring query heads
 * @param headDim       features of one head
 * @param scale         factor of the scores, normally {@code 1/√headDim}
 * @param slidingWindow a query sees this many last keys, itself included; 0 means all before it
 */
public record AttentionShape(int heads, int kvHeads, int headDim, float scale, int slidingWindow) {
    public AttentionShape {
        if (heads < 1 || kvHeads < 1 || heads % kvHeads != 0 || headDim < 1 || slidingWindow < 0) {
            throw new IllegalArgumentException("bad attention shape: " + heads + " heads, " + kvHeads + " kv heads, "
                    + headDim + " features, window " + slidingWindow);
        }
    }

    /** Query heads that share one key and value head. */
    public int group() {
        return heads / kvHeads;
    }

    /** First key, within its sequence, that the query at {@code position} of the sequence's keys sees. */
    public int firstKey(int position) {
        return slidingWindow == 0 ? 0 : Math.max(0, position - slidingWindow + 1);
    }
}
