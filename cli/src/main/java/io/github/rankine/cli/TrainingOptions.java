package io.github.rankine.cli;

import io.github.rankine.engine.train.LoraPlus;
import io.github.rankine.engine.train.Schedule;
import io.github.rankine.engine.train.TrainingConfig;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** How long and how fast is trained; the defaults are the engine's. */
final class TrainingOptions {
    private static final TrainingConfig DEFAULTS = TrainingConfig.builder().build();
    private static final String DEFAULT = " (default: ${DEFAULT-VALUE}).";

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Option(names = "--learning-rate", paramLabel = "RATE", description = "Peak learning rate" + DEFAULT)
    private double learningRate = DEFAULTS.learningRate();

    @Option(
            names = "--loraplus-lr-ratio",
            paramLabel = "X",
            description = "LoRA+: B's learning rate is X times A's (default: 1).")
    private Double loraPlusRatio;

    @Option(
            names = "--loraplus-lr-embedding",
            paramLabel = "RATE",
            description = "LoRA+: learning rate of an adapter of the embedding (default: 1e-6).")
    private Double loraPlusEmbeddingRate;

    @Option(
            names = "--schedule",
            paramLabel = "NAME",
            description = "Learning rate over the run: ${COMPLETION-CANDIDATES}" + DEFAULT)
    private Schedule schedule = DEFAULTS.schedule();

    @Option(
            names = "--warmup",
            paramLabel = "N",
            description = "Steps of linear warm-up, or a share of the run when below 1" + DEFAULT)
    private double warmup = DEFAULTS.warmup();

    @Option(names = "--weight-decay", paramLabel = "X", description = "Decoupled weight decay" + DEFAULT)
    private double weightDecay = DEFAULTS.weightDecay();

    @Option(
            names = "--max-grad-norm",
            paramLabel = "X",
            description = "Clip the gradient to this norm; 0 does not clip" + DEFAULT)
    private double maxGradNorm = DEFAULTS.maxGradNorm();

    @Option(names = "--epochs", paramLabel = "N", description = "Passes over the data" + DEFAULT)
    private int epochs = DEFAULTS.epochs();

    @Option(names = "--steps", paramLabel = "N", description = "Optimiser steps, whatever the epochs.")
    private Integer steps;

    @Option(names = "--batch-size", paramLabel = "N", description = "Sequences in a batch" + DEFAULT)
    private int batchSize = DEFAULTS.batchSize();

    @Option(names = "--gradient-accumulation", paramLabel = "N", description = "Batches in a step" + DEFAULT)
    private int gradientAccumulation = DEFAULTS.gradientAccumulation();

    @Option(names = "--packing", description = "Join short samples into full sequences.")
    private boolean packing;

    @Option(names = "--no-shuffle", description = "Take the data in the file's order.")
    private boolean noShuffle;

    @Option(names = "--seed", paramLabel = "N", description = "Of the adapter's start, order and dropout" + DEFAULT)
    private long seed = DEFAULTS.seed();

    @Option(
            names = "--eval-every",
            paramLabel = "N",
            description = "Steps between evaluations; without it only at the end.")
    private Integer evalEvery;

    /** @param maxLength tokens of a sequence at most */
    TrainingConfig config(int maxLength) {
        requirePositive("--steps", steps);
        requirePositive("--eval-every", evalEvery);
        return Usage.of(
                command,
                () -> new TrainingConfig(
                        learningRate,
                        schedule,
                        warmup,
                        weightDecay,
                        maxGradNorm,
                        epochs,
                        steps == null ? 0 : steps,
                        batchSize,
                        gradientAccumulation,
                        packing,
                        maxLength,
                        !noShuffle,
                        seed,
                        evalEvery == null ? 0 : evalEvery,
                        false,
                        loraPlus()));
    }

    private LoraPlus loraPlus() {
        if (loraPlusEmbeddingRate != null && loraPlusRatio == null) {
            throw Usage.wrong(command, "--loraplus-lr-embedding needs --loraplus-lr-ratio");
        }
        return new LoraPlus(
                loraPlusRatio == null ? 1 : loraPlusRatio,
                loraPlusEmbeddingRate == null ? LoraPlus.EMBEDDING_RATE : loraPlusEmbeddingRate);
    }

    private void requirePositive(String option, Integer value) {
        if (value != null && value < 1) {
            throw Usage.wrong(command, option + " " + value + ": must be at least 1");
        }
    }
}
