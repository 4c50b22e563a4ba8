package io.github.rankine.engine.train;

import io.github.rankine.engine.RankineException;

/** A step's loss or gradient is infinite or not a number. The step was not taken: the parameters are the last good ones. */
public final class NonFiniteLossException extends RankineException {
    private static final long serialVersionUID = 1L;

    private final int step;

    NonFiniteLossException(int step, double loss, double gradNorm) {
        super("step " + step + ": loss " + loss + ", gradient norm " + gradNorm
                + ": stopped before the update, with the" + " parameters of step " + (step - 1)
                + " kept; lower the learning rate or look at the data");
        this.step = step;
    }

    /** The step that could not be taken. */
    public int step() {
        return step;
    }
}
