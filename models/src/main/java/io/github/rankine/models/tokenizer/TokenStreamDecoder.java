package io.github.rankine.models.tokenizer;

import java.util.Arrays;
import java.util.function.Function;

/**
 * Turns tokens into text as they arrive. A token may be part of a character, and its text may depend on those before it
 * (a leading space), so that a token's text is the difference between decoding with it and without it, behind a few tokens
 * of context; text that ends in an unfinished character waits for the tokens that finish it.
 */
public final class TokenStreamDecoder {
    /** Tokens kept for context. */
    private static final int CONTEXT = 8;

    /** A character has at most four bytes, so no sound text is unfinished after so many tokens. */
    private static final int MAX_PENDING = 16;

    private static final char UNFINISHED = '\uFFFD';

    private final Function<int[], String> decode;

    /** Context, whose text has been given out, then tokens that wait. */
    private int[] window;

    private int context;

    TokenStreamDecoder(Function<int[], String> decode, int[] prompt) {
        this.decode = decode;
        this.window = last(prompt);
        this.context = window.length;
    }

    /** Takes the next token and returns the text that is now certain, often empty. */
    public String next(int token) {
        window = Arrays.copyOf(window, window.length + 1);
        window[window.length - 1] = token;
        String text = decode.apply(window);
        boolean unfinished = !text.isEmpty() && text.charAt(text.length() - 1) == UNFINISHED;
        return unfinished && window.length - context < MAX_PENDING ? "" : take(text);
    }

    /** The text that was waiting, at the end of the tokens. */
    public String finish() {
        return take(decode.apply(window));
    }

    private String take(String text) {
        String before = decode.apply(Arrays.copyOf(window, context));
        int common = 0;
        while (common < Math.min(before.length(), text.length()) && before.charAt(common) == text.charAt(common)) {
            common++;
        }
        window = last(window);
        context = window.length;
        return text.substring(common);
    }

    private static int[] last(int[] tokens) {
        return Arrays.copyOfRange(tokens, Math.max(0, tokens.length - CONTEXT), tokens.length);
    }
}
