package io.github.rankine.engine.tape;

import io.github.rankine.engine.kernels.AttentionShape;
import io.github.rankine.engine.kernels.AttentionSpans;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.Tensor;
import java.util.List;

/** Attention over keys and values of virtual tokens that stand before every sequence (Li and Liang 2021). */
public final class PrefixOperations {
    private PrefixOperations() {}

    /**
     * Where queries, keys and values lie: each in a variable of its own, or all in one.
     *
     * @param q {@code [n, heads · headDim]}
     * @param k {@code [n, kvHeads · headDim]}, or {@code q}, which then holds {@code [n, 3 · heads · headDim]}
     * @param v as {@code k}
     */
    public record Projections(Variable q, Variable k, Variable v) {
        /** Those that one product computed. */
        public static Projections fused(Variable qkv) {
            return new Projections(qkv, qkv, qkv);
        }

        private Tensor part(Tensor whole, int index) {
            long width = whole.cols() / 3;
            return q == k ? whole.cols(index * width, width) : whole;
        }

        private boolean requireGradient() {
            return q.requiresGradient() || k.requiresGradient() || v.requiresGradient();
        }
    }

    /**
     * Causal attention of sequences that all see the prefix too.
     *
     * @param prefix {@code [virtual tokens, 2 · layers · kvHeads · headDim]}: of each layer keys, then values
     * @param layer  whose part is meant
     * @param starts first row of each sequence, then the number of rows
     */
    public static Variable attention(
            Tape tape, Projections in, Variable prefix, int layer, int[] starts, AttentionShape shape) {
        long width = (long) shape.kvHeads() * shape.headDim();
        AttentionSpans spans = spans(starts, (int) prefix.rows());
        Tensor q = in.part(in.q().value(), 0);
        Variable y = tape.output(q.rows(), q.cols(), in.requireGradient() || prefix.requiresGradient());
        Buffer keys = joined(
                tape, keysOf(prefix.value(), layer, width), in.part(in.k().value(), 1), spans);
        Buffer values = joined(
                tape, valuesOf(prefix.value(), layer, width), in.part(in.v().value(), 2), spans);
        Buffer logSumExp = tape.take(q.rows(), shape.heads());
        Kernels kernels = tape.kernels();
        kernels.attention(q, keys.tensor(), values.tensor(), spans, shape, y.value(), logSumExp.tensor());
        tape.record(y, List.of(in.q(), y), List.of(keys, values, logSumExp), () -> {
            Buffer dKeys = tape.take(keys.tensor().rows(), width);
            Buffer dValues = tape.take(values.tensor().rows(), width);
            Tensor dQ = in.part(tape.gradient(in.q()), 0);
            kernels.attentionBackward(
                    in.part(in.q().value(), 0),
                    keys.tensor(),
                    values.tensor(),
                    spans,
                    shape,
                    y.value(),
                    logSumExp.tensor(),
                    y.gradient(),
                    dQ,
                    dKeys.tensor(),
                    dValues.tensor());
            takeApart(kernels, dKeys.tensor(), spans, in.part(tape.gradient(in.k()), 1));
            takeApart(kernels, dValues.tensor(), spans, in.part(tape.gradient(in.v()), 2));
            if (prefix.requiresGradient()) {
                Tensor dPrefix = gradient(tape, prefix);
                addPrefixes(kernels, dKeys.tensor(), spans, keysOf(dPrefix, layer, width));
                addPrefixes(kernels, dValues.tensor(), spans, valuesOf(dPrefix, layer, width));
            }
            tape.give(dValues);
            tape.give(dKeys);
            tape.settle(in.q(), in.k(), in.v());
        });
        return y;
    }

    private static Tensor keysOf(Tensor prefix, int layer, long width) {
        return prefix.cols(2 * layer * width, width);
    }

    private static Tensor valuesOf(Tensor prefix, int layer, long width) {
        return prefix.cols((2 * layer + 1) * width, width);
    }

    /** Each sequence's keys follow the prefix's. */
    private static AttentionSpans spans(int[] starts, int virtual) {
        int sequences = starts.length - 1;
        int[] first = new int[sequences];
        int[] count = new int[sequences];
        int[] keyFirst = new int[sequences];
        int[] keyCount = new int[sequences];
        for (int s = 0; s < sequences; s++) {
            first[s] = starts[s];
            count[s] = starts[s + 1] - starts[s];
            keyFirst[s] = starts[s] + s * virtual;
            keyCount[s] = count[s] + virtual;
        }
        return new AttentionSpans(first, count, keyFirst, keyCount);
    }

    /** The prefix's rows and the sequence's, for each sequence. */
    private static Buffer joined(Tape tape, Tensor prefix, Tensor rows, AttentionSpans spans) {
        Buffer all = tape.take(rows.rows() + spans.sequences() * prefix.rows(), rows.cols());
        for (int s = 0; s < spans.sequences(); s++) {
            int start = spans.keyStart()[s];
            int count = spans.queryCount()[s];
            tape.kernels().copy(prefix, all.tensor().rows(start, prefix.rows()));
            tape.kernels()
                    .copy(rows.rows(spans.queryStart()[s], count), all.tensor().rows(start + prefix.rows(), count));
        }
        return all;
    }

    private static void takeApart(Kernels kernels, Tensor all, AttentionSpans spans, Tensor rows) {
        for (int s = 0; s < spans.sequences(); s++) {
            int count = spans.queryCount()[s];
            int start = spans.keyStart()[s] + spans.keyCount()[s] - count;
            kernels.copy(all.rows(start, count), rows.rows(spans.queryStart()[s], count));
        }
    }

    private static void addPrefixes(Kernels kernels, Tensor all, AttentionSpans spans, Tensor prefix) {
        for (int s = 0; s < spans.sequences(); s++) {
            kernels.add(all.rows(spans.keyStart()[s], prefix.rows()), prefix);
        }
    }

    /** The prefix's gradient, to which each layer adds in its own columns. */
    private static Tensor gradient(Tape tape, Variable prefix) {
        boolean fresh = !prefix.hasGradient();
        Tensor gradient = tape.gradient(prefix);
        if (fresh) {
            tape.kernels().clear(gradient);
        }
        return gradient;
    }
}
