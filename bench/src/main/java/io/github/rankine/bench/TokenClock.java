package io.github.rankine.bench;

/**
 * Times a text's first token and those that follow, and stops now and then while something else is measured, so that it is measured in the same
 * seconds.
 */
final class TokenClock {
    /** Tokens from one pause to the next. */
    private static final int PERIOD = 8;
    /** Threads that wait for more of the text are left to fall asleep before something else is measured. */
    private static final int PAUSE_MILLIS = 3;

    private final int period;
    private final Runnable meanwhile;
    private final long start = System.nanoTime();
    private long first;
    private long last;
    private long paused;
    /** The pause since the last token: it counts once another one has come. */
    private long pause;

    private int tokens;

    private TokenClock(int period, Runnable meanwhile) {
        this.period = period;
        this.meanwhile = meanwhile;
    }

    /** Runs {@code meanwhile} every few tokens. */
    static TokenClock withPauses(Runnable meanwhile) {
        return new TokenClock(PERIOD, meanwhile);
    }

    static TokenClock withoutPauses() {
        return new TokenClock(Integer.MAX_VALUE, () -> {});
    }

    /** A token is there. */
    void token() {
        last = System.nanoTime();
        paused += pause;
        pause = 0;
        if (tokens == 0) {
            first = last;
        }
        tokens++;
        if (tokens % period == 0) {
            pause();
        }
    }

    private void pause() {
        try {
            Thread.sleep(PAUSE_MILLIS);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        meanwhile.run();
        pause = System.nanoTime() - last;
    }

    int tokens() {
        return tokens;
    }

    double firstSeconds() {
        return (first - start) * 1e-9;
    }

    /** Of all tokens after the first. */
    double followingSeconds() {
        return (last - first - paused) * 1e-9;
    }
}
