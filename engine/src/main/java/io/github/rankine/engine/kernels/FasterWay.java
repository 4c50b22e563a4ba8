package io.github.rankine.engine.kernels;

import java.util.Arrays;

/**
 * Finds out which of two ways to the same result is faster here, by taking them in turn for a while, and again now and then, for a machine
 * that others use may have been disturbed.
 */
final class FasterWay {
    /** Calls before the first one that counts: by then everything is compiled. */
    private static final int WARM_UP = 512;
    /** Calls of each way that count. */
    private static final int SAMPLES = 256;
    /** Calls from one trial to the next. */
    private static final int PERIOD = 1 << 15;

    private final long telling;
    private final double[][] paces = new double[2][SAMPLES];
    private final int[] counts = new int[2];
    private int calls = -WARM_UP;
    private boolean secondIsFaster;

    /** Calls smaller than {@code telling}, in the caller's unit, say nothing. */
    FasterWay(long telling) {
        this.telling = telling;
    }

    /** Whether to take the second way. Turns follow no period that a caller's own could fall in with (Thue and Morse). */
    boolean second() {
        boolean decided = counts[0] == SAMPLES && counts[1] == SAMPLES;
        return decided ? secondIsFaster : Integer.bitCount(calls) % 2 == 1;
    }

    /** Tells how long a call of {@code size} took on the first or second way. */
    void took(boolean second, long size, long nanos) {
        if (size < telling) {
            return;
        }
        calls++;
        int way = second ? 1 : 0;
        if (calls > 0 && counts[way] < SAMPLES) {
            paces[way][counts[way]] = (double) nanos / size;
            counts[way]++;
            if (counts[1 - way] == SAMPLES && counts[way] == SAMPLES) {
                secondIsFaster = median(paces[1]) < median(paces[0]);
            }
        }
        if (calls == PERIOD) {
            calls = 0;
            Arrays.fill(counts, 0);
        }
    }

    private static double median(double[] values) {
        Arrays.sort(values);
        return values[values.length / 2];
    }
}
