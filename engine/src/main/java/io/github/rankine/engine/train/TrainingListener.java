package io.github.rankine.engine.train;

/** Is told of a run's progress, on the thread that trains. */
public interface TrainingListener {
    /** After each step; the parameters are those after its update. */
    default void step(StepMetrics metrics) {}

    /**
     * After each evaluation.
     *
     * @param step     the step it came after
     * @param improved whether no earlier evaluation of the run was as good
     */
    default void evaluated(int step, Evaluation evaluation, boolean improved) {}

    /** After a step and its evaluation, if it has one: when there is something to record or to save. */
    default void completed(int step) {}

    /** Asked after each step; true ends the run early, as after an interrupt. */
    default boolean stopRequested() {
        return false;
    }
}
