package io.github.rankine.engine.train;

import java.util.Arrays;

/**
 * One training sequence. Labels are aligned with the tokens as in Transformers: {@code labels[t]} is {@code inputIds[t]} or
 * {@link #IGNORED}, and the loss does the shift by one.
 */
public record Sample(int[] inputIds, int[] labels) {
    /** Label of a token that is not learned. */
    public static final int IGNORED = -100;

    public Sample {
        if (inputIds.length != labels.length) {
            throw new IllegalArgumentException(inputIds.length + " tokens and " + labels.length + " labels");
        }
    }

    /** A sample that is learned whole. */
    public static Sample of(int... inputIds) {
        return new Sample(inputIds, inputIds.clone());
    }

    public int length() {
        return inputIds.length;
    }

    /** Tokens that count in the loss: labels that are kept, but for the first, which nothing predicts. */
    public int learnedTokens() {
        int count = 0;
        for (int t = 1; t < labels.length; t++) {
            if (labels[t] != IGNORED) {
                count++;
            }
        }
        return count;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Sample s && Arrays.equals(s.inputIds, inputIds) && Arrays.equals(s.labels, labels);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(inputIds) + Arrays.hashCode(labels);
    }

    @Override
    public String toString() {
        return "Sample" + Arrays.toString(inputIds);
    }
}
