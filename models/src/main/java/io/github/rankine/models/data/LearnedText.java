package io.github.rankine.models.data;

import java.util.List;

/**
 * A text and the ranges of it that are learned, in order.
 *
 * @param rendered whether a chat template made it, which then has put in the special tokens itself
 */
record LearnedText(String text, List<Range> learned, boolean rendered) {
    /** Chars from {@code start} to before {@code end}. */
    record Range(int start, int end) {}

    /** A prompt and what is learned after it. */
    static LearnedText of(String prompt, String completion) {
        return new LearnedText(
                prompt + completion, List.of(new Range(prompt.length(), prompt.length() + completion.length())), false);
    }

    /** Whether nothing is to be learned. */
    boolean isEmpty() {
        return learned.stream().allMatch(range -> range.start() >= range.end());
    }
}
