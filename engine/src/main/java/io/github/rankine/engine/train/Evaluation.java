package io.github.rankine.engine.train;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.nn.Batch;
import io.github.rankine.engine.nn.Decoder;
import java.util.Comparator;
import java.util.List;

/**
 * How well a model predicts a set of samples.
 *
 * @param loss   mean negative log-likelihood per learned token, in nats
 * @param tokens learned tokens
 */
public record Evaluation(double loss, long tokens) {
    /** Perplexity: e to the loss. */
    public double perplexity() {
        return Math.exp(loss);
    }

    /**
     * Evaluates {@code decoder} with its active adapters, {@code batchSize} samples at a time.
     *
     * @throws io.github.rankine.engine.RankineException when a sample is longer than the decoder takes, or not of its
     *     vocabulary
     */
    public static Evaluation of(Decoder decoder, Kernels kernels, List<Sample> samples, int batchSize) {
        SampleCheck.check(samples, decoder);
        try (LossPass pass = new LossPass(decoder, kernels, false)) {
            return of(pass, samples, batchSize);
        }
    }

    static Evaluation of(LossPass pass, List<Sample> samples, int batchSize) {
        List<Sample> longestFirst = longestFirst(samples);
        double total = 0;
        long tokens = 0;
        int size = Math.min(batchSize, longestFirst.size());
        for (int first = 0; first < longestFirst.size(); first += size) {
            Batch batch = BatchOrder.batchOf(longestFirst.subList(first, Math.min(first + size, longestFirst.size())));
            if (batch.learnedTokens() > 0) {
                total += pass.loss(batch);
                tokens += batch.learnedTokens();
            }
        }
        return new Evaluation(total / tokens, tokens);
    }

    private static List<Sample> longestFirst(List<Sample> samples) {
        return samples.stream()
                .sorted(Comparator.comparingInt(Sample::length).reversed())
                .toList();
    }

    /** The batch that takes the most memory. */
    static Batch largest(List<Sample> samples, int batchSize) {
        return BatchOrder.batchOf(longestFirst(samples).subList(0, Math.min(batchSize, samples.size())));
    }
}
