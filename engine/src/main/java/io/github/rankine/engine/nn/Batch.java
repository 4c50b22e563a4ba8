package io.github.rankine.engine.nn;

/**
 * Sequences side by side, without padding: sequence {@code s} is rows {@code starts[s] … starts[s + 1]} of all that is
 * computed. Attention and loss stay within a sequence.
 *
 * @param ids       token of each row
 * @param positions position of each row in its sequence
 * @param starts    first row of each sequence, then the number of rows
 * @param lossRows  rows whose next token is learned, ascending
 * @param targets   that next token for each of {@code lossRows}
 */
public record Batch(int[] ids, int[] positions, int[] starts, int[] lossRows, int[] targets) {
    /** Rows of all sequences. */
    public int tokens() {
        return ids.length;
    }

    /** Tokens that count in the loss. */
    public int learnedTokens() {
        return targets.length;
    }
}
