package io.github.rankine.models.tokenizer;

/**
 * A text's tokens, and where in the text each comes from: token {@code t} covers the chars (UTF-16 units, as in
 * {@link String#charAt}) from {@code starts[t]} to before {@code ends[t]}. Several tokens that make up one character all
 * cover it whole. What the tokenizer added itself, such as a beginning-of-sequence token, covers nothing: start and end
 * are {@link #NOWHERE}.
 */
public record Encoding(int[] ids, int[] starts, int[] ends) {
    /** Start and end of a token that is not from the text. */
    public static final int NOWHERE = -1;

    public int length() {
        return ids.length;
    }
}
