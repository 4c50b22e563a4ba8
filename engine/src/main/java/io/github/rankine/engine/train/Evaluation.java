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
            if (kernels.haveOwnMemory()) {
                LossPass.Memory most = most(decoder, samples, batchSize);
                kernels.expect(decoder.memoryNeeds(most.total()));
                pass.reserve(most);
            }
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

    /** At least the memory that any batch needs. */
    static LossPass.Memory most(Decoder decoder, List<Sample> samples, int batchSize) {
        Batch largest = BatchOrder.batchOf(longestFirst(samples).stream()
                .limit(batchSize)
                .map(sample -> Sample.of(sample.inputIds()))
                .toList());
        return LossPass.plan(decoder, largest, false, false);
    }
}
