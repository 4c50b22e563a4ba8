package io.github.rankine.engine.train;

/**
 * Where a step's time went, in seconds; several batches of one step are added up.
 *
 * @param forward   embedding and blocks
 * @param head      logits and loss, with the gradient of both
 * @param backward  blocks
 * @param optimizer norm, clipping and update
 */
public record StepTimes(double forward, double head, double backward, double optimizer) {
    static final StepTimes NONE = new StepTimes(0, 0, 0, 0);

    StepTimes plus(StepTimes other) {
        return new StepTimes(
                forward + other.forward, head + other.head, backward + other.backward, optimizer + other.optimizer);
    }

    StepTimes withOptimizer(double seconds) {
        return new StepTimes(forward, head, backward, seconds);
    }
}
