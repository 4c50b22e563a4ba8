package io.github.rankine.engine.train;

import io.github.rankine.engine.nn.Batch;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.tape.Parameter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.SequencedSet;

/**
 * The memory of a training run, known before it starts. All sizes in bytes.
 *
 * @param weights     the base's weights; mapped from their file where they are frozen, so that the system may drop and reread them
 * @param adapter     trainable parameters, their gradients, and what an adapter needs beside them
 * @param optimizer   AdamW's two moments
 * @param activations of the largest batch, forward and backward
 * @param logits      one chunk of logits and what its loss needs
 */
public record MemoryPlan(long weights, long adapter, long optimizer, long activations, long logits) {
    public long total() {
        return weights + adapter + optimizer + activations + logits;
    }

    /**
     * Plans steps of {@code config}'s batch size with sequences of {@code length} tokens, all learned. The decoder needs shapes alone;
     * {@code trainable} must be in training ({@link Parameter#train}) and active.
     */
    public static MemoryPlan of(Decoder decoder, List<Parameter> trainable, int length, TrainingConfig config) {
        Batch batch = BatchOrder.batchOf(Collections.nCopies(config.batchSize(), Sample.of(new int[length])));
        return of(decoder, trainable, batch, config.recompute());
    }

    /** The same for the largest batch of the first epoch over {@code samples}. */
    public static MemoryPlan of(
            Decoder decoder, List<Parameter> trainable, List<Sample> samples, TrainingConfig config) {
        BatchOrder order = new BatchOrder(samples, config);
        Batch largest = order.epoch(0).stream()
                .map(order::batch)
                .max(Comparator.comparingInt(Batch::tokens))
                .orElseThrow();
        return of(decoder, trainable, largest, config.recompute());
    }

    static MemoryPlan of(Decoder decoder, List<Parameter> trainable, Batch batch, boolean recompute) {
        LossPass.Memory pass = LossPass.plan(decoder, batch, true, recompute);
        SequencedSet<Parameter> frozen = decoder.parameters();
        trainable.forEach(frozen::remove);
        long trained = bytes(trainable);
        return new MemoryPlan(
                bytes(new ArrayList<>(frozen)),
                2 * trained + decoder.frozenAdapterBytes(),
                2 * trained,
                pass.activations(),
                pass.logits());
    }

    private static long bytes(List<Parameter> parameters) {
        return parameters.stream()
                .mapToLong(parameter -> parameter.value().bytes())
                .sum();
    }
}
