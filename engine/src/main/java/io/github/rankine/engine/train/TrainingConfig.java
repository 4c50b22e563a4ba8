package io.github.rankine.engine.train;

import io.github.rankine.engine.RankineException;

/**
 * How a model is trained; the defaults are those of {@code rankine finetune}.
 *
 * @param learningRate         peak of the schedule
 * @param schedule             shape of the learning rate over the run
 * @param warmup               steps of linear warm-up, or a share of all steps when below 1
 * @param weightDecay          of AdamW, decoupled
 * @param maxGradNorm          gradients are clipped to this global norm; 0 does not clip
 * @param epochs               passes over the data, unless {@code steps} says otherwise
 * @param steps                optimiser steps; 0 leaves it to {@code epochs}
 * @param batchSize            sequences in a batch
 * @param gradientAccumulation batches in an optimiser step
 * @param packing              fill each sequence with as many samples as fit {@code maxLength}
 * @param maxLength            tokens of a sequence at most
 * @param shuffle              new order in each epoch; otherwise the order of the file
 * @param seed                 of order and dropout
 * @param evalEvery            steps between evaluations; 0 evaluates at the end only
 * @param recompute            whether the backward pass computes each block again instead of keeping what it needs: less memory, a third
 *     more time, the same bits
 * @param loraPlus             other learning rates for some of an adapter's matrices
 */
public record TrainingConfig(
        double learningRate,
        Schedule schedule,
        double warmup,
        double weightDecay,
        double maxGradNorm,
        int epochs,
        int steps,
        int batchSize,
        int gradientAccumulation,
        boolean packing,
        int maxLength,
        boolean shuffle,
        long seed,
        int evalEvery,
        boolean recompute,
        LoraPlus loraPlus) {
    /** Decay of AdamW's first moment. */
    public static final double BETA1 = 0.9;
    /** Decay of AdamW's second moment. */
    public static final double BETA2 = 0.999;
    /** Added to the root of AdamW's second moment. */
    public static final double EPSILON = 1e-8;

    /** @throws RankineException when a number is out of its range */
    public TrainingConfig {
        require(learningRate > 0 && Double.isFinite(learningRate), "learning rate", learningRate, "a positive number");
        require(warmup >= 0 && Double.isFinite(warmup), "warmup", warmup, "a number of steps, or a share below 1");
        require(weightDecay >= 0 && Double.isFinite(weightDecay), "weight decay", weightDecay, "at least 0");
        require(maxGradNorm >= 0, "max grad norm", maxGradNorm, "at least 0 (0 does not clip)");
        require(epochs >= 1, "epochs", epochs, "at least 1");
        require(steps >= 0, "steps", steps, "at least 1");
        require(batchSize >= 1, "batch size", batchSize, "at least 1");
        require(gradientAccumulation >= 1, "gradient accumulation", gradientAccumulation, "at least 1");
        require(maxLength >= 2, "max length", maxLength, "at least 2 tokens");
        require(evalEvery >= 0, "eval every", evalEvery, "at least 0 steps");
    }

    private static void require(boolean condition, String name, Number value, String expected) {
        if (!condition) {
            throw new RankineException(name + " " + value + ": must be " + expected);
        }
    }

    /** A configuration to change where it differs. */
    public static Builder builder() {
        return new Builder();
    }

    /** The same with recomputation or without. */
    public TrainingConfig withRecompute(boolean value) {
        return new TrainingConfig(
                learningRate,
                schedule,
                warmup,
                weightDecay,
                maxGradNorm,
                epochs,
                steps,
                batchSize,
                gradientAccumulation,
                packing,
                maxLength,
                shuffle,
                seed,
                evalEvery,
                value,
                loraPlus);
    }

    /** Steps of warm-up in a run of {@code total} steps. */
    int warmupSteps(int total) {
        return (int) Math.ceil(warmup < 1 ? warmup * total : warmup);
    }

    /** The defaults, changed one by one. */
    public static final class Builder {
        private double learningRate = 2e-4;
        private Schedule schedule = Schedule.LINEAR;
        private double warmup;
        private double weightDecay;
        private double maxGradNorm = 1;
        private int epochs = 1;
        private int steps;
        private int batchSize = 4;
        private int gradientAccumulation = 1;
        private boolean packing;
        private int maxLength = 512;
        private boolean shuffle = true;
        private long seed;
        private int evalEvery;
        private boolean recompute;
        private LoraPlus loraPlus = LoraPlus.OFF;

        private Builder() {}

        public Builder learningRate(double value) {
            learningRate = value;
            return this;
        }

        public Builder schedule(Schedule value) {
            schedule = value;
            return this;
        }

        public Builder warmup(double value) {
            warmup = value;
            return this;
        }

        public Builder weightDecay(double value) {
            weightDecay = value;
            return this;
        }

        public Builder maxGradNorm(double value) {
            maxGradNorm = value;
            return this;
        }

        public Builder epochs(int value) {
            epochs = value;
            return this;
        }

        public Builder steps(int value) {
            steps = value;
            return this;
        }

        public Builder batchSize(int value) {
            batchSize = value;
            return this;
        }

        public Builder gradientAccumulation(int value) {
            gradientAccumulation = value;
            return this;
        }

        public Builder packing(boolean value) {
            packing = value;
            return this;
        }

        public Builder maxLength(int value) {
            maxLength = value;
            return this;
        }

        public Builder shuffle(boolean value) {
            shuffle = value;
            return this;
        }

        public Builder seed(long value) {
            seed = value;
            return this;
        }

        public Builder evalEvery(int value) {
            evalEvery = value;
            return this;
        }

        public Builder recompute(boolean value) {
            recompute = value;
            return this;
        }

        public Builder loraPlus(LoraPlus value) {
            loraPlus = value;
            return this;
        }

        public TrainingConfig build() {
            return new TrainingConfig(
                    learningRate,
                    schedule,
                    warmup,
                    weightDecay,
                    maxGradNorm,
                    epochs,
                    steps,
                    batchSize,
                    gradientAccumulation,
                    packing,
                    maxLength,
                    shuffle,
                    seed,
                    evalEvery,
                    recompute,
                    loraPlus);
        }
    }
}
