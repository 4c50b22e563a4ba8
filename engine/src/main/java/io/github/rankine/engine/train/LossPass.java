package io.github.rankine.engine.train;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.PlanningKernels;
import io.github.rankine.engine.nn.Batch;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.TokenOperations;
import io.github.rankine.engine.tape.Variable;
import io.github.rankine.engine.tape.Workspace;

/**
 * A batch's loss, and its gradient if wanted, in planned memory: before each pass the same operations run once over shapes alone, and the
 * workspaces get exactly what they will need.
 */
final class LossPass implements AutoCloseable {
    /** Logits in memory at a time, in bytes; with their share of the loss this is the price of a large vocabulary. */
    private static final long LOGITS_BYTES = 128L << 20;

    private static final int MAX_CHUNK = 1024;

    private final Decoder decoder;
    private final Kernels kernels;
    private final boolean recompute;
    private final Workspace activations;
    private final Workspace logits;

    /** Bytes of a pass by kind. */
    record Memory(long activations, long logits) {
        long total() {
            return activations + logits;
        }

        /** Enough for both. */
        Memory max(Memory other) {
            return new Memory(Math.max(activations, other.activations), Math.max(logits, other.logits));
        }
    }

    /** Summed loss of a pass and where its time went. */
    record Result(double loss, StepTimes times) {}

    /** @param recompute as {@link Decoder#forward} takes it */
    LossPass(Decoder decoder, Kernels kernels, boolean recompute) {
        this.decoder = decoder;
        this.kernels = kernels;
        this.recompute = recompute;
        activations = Workspace.empty(kernels);
        logits = Workspace.empty(kernels);
    }

    /** What a pass over this batch needs; touches no weight. */
    static Memory plan(Decoder decoder, Batch batch, boolean gradient, boolean recompute) {
        try (Workspace activations = Workspace.planning();
                Workspace logits = Workspace.planning()) {
            run(decoder, PlanningKernels.create(), activations, logits, batch, gradient, recompute, 0, 1);
            return new Memory(activations.peak(), logits.peak());
        }
    }

    /** Gets the memory for a pass over this batch. */
    void reserve(Batch batch, boolean gradient) {
        reserve(plan(decoder, batch, gradient, recompute));
    }

    /** Gets that much, which passes that need less leave as it is. */
    void reserve(Memory memory) {
        activations.reserve(memory.activations());
        logits.reserve(memory.logits());
    }

    /** Summed negative log-likelihood of the batch's targets. */
    double loss(Batch batch) {
        reserve(batch, false);
        return run(decoder, kernels, activations, logits, batch, false, recompute, 0, 1)
                .loss();
    }

    /**
     * The same, adding its gradient times {@code gradientScale} to the parameters'.
     *
     * @param dropoutSeed of this batch in this step
     */
    Result lossAndGradient(Batch batch, long dropoutSeed, float gradientScale) {
        reserve(batch, true);
        return run(decoder, kernels, activations, logits, batch, true, recompute, dropoutSeed, gradientScale);
    }

    private static Result run(
            Decoder decoder,
            Kernels kernels,
            Workspace activations,
            Workspace logits,
            Batch batch,
            boolean gradient,
            boolean recompute,
            long dropoutSeed,
            float gradientScale) {
        if (decoder.hasAdaptersPerSequence()) {
            // The head sees the rows in chunks here, which no sequence's rows can be told in.
            throw new RankineException("adapters for single sequences are for logits: evaluate each adapter by itself");
        }
        Tape tape = gradient
                ? Tape.recording(kernels, activations, dropoutSeed)
                : Tape.withoutGradients(kernels, activations);
        long start = System.nanoTime();
        Variable hidden = decoder.forward(tape, batch, recompute);
        kernels.finish();
        long forward = System.nanoTime();
        int most = (int) Math.clamp(LOGITS_BYTES / 4 / decoder.vocabularySize(), 1, MAX_CHUNK);
        int rows = Math.max(1, batch.targets().length);
        // Even chunks: the head is read once for each, so that a short one costs as much as a long one.
        int chunk = Math.ceilDiv(rows, Math.ceilDiv(rows, most));
        double loss = TokenOperations.crossEntropy(
                tape, logits, hidden, batch.targets(), decoder::logits, chunk, gradientScale);
        long head = System.nanoTime();
        tape.backward();
        kernels.finish();
        long end = System.nanoTime();
        return new Result(
                loss, new StepTimes((forward - start) * 1e-9, (head - forward) * 1e-9, (end - head) * 1e-9, 0));
    }

    /** Bytes held for activations and logits. */
    long capacity() {
        return activations.capacity() + logits.capacity();
    }

    @Override
    public void close() {
        activations.close();
        logits.close();
    }
}
