package io.github.rankine.engine.train;

/**
 * What one optimiser step did.
 *
 * @param step            its number, from 1
 * @param totalSteps      steps of the run
 * @param epoch           epochs of data consumed, with fraction
 * @param loss            mean negative log-likelihood per learned token before the update, in nats
 * @param gradNorm        global norm of the gradient before clipping
 * @param learningRate    of this step
 * @param tokens          tokens that went through the model
 * @param tokensPerSecond of this step
 * @param times           where its time went
 */
public record StepMetrics(
        int step,
        int totalSteps,
        double epoch,
        double loss,
        double gradNorm,
        double learningRate,
        long tokens,
        double tokensPerSecond,
        StepTimes times) {}
