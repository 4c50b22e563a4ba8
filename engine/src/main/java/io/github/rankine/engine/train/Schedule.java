package io.github.rankine.engine.train;

/** The learning rate over a run, as a share of its peak; the same as Transformers' schedulers. */
public enum Schedule {
    /** Down to zero in a straight line. */
    LINEAR {
        @Override
        double decay(double progress) {
            return Math.max(0, 1 - progress);
        }
    },
    /** Down to zero along half a cosine (Loshchilov and Hutter 2017, without restarts). */
    COSINE {
        @Override
        double decay(double progress) {
            return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
        }
    },
    /** Stays at the peak. */
    CONSTANT {
        @Override
        double decay(double progress) {
            return 1;
        }
    };

    /** @param progress share of the steps after the warm-up that are done */
    abstract double decay(double progress);

    /**
     * The factor of the peak for one step.
     *
     * @param done   steps done before it
     * @param warmup steps of linear warm-up; the first of them has rate 0
     * @param total  steps of the run
     */
    public double factor(int done, int warmup, int total) {
        if (done < warmup) {
            return (double) done / warmup;
        }
        return decay((double) (done - warmup) / Math.max(1, total - warmup));
    }
}
