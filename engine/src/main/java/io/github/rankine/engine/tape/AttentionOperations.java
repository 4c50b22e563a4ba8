package io.github.rankine.engine.tape;

import io.github.rankine.engine.kernels.AttentionShape;
import io.github.rankine.engine.kernels.AttentionSpans;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.Tensor;
import java.util.List;

/** Positions and attention. Heads lie side by side in the columns. */
public final class AttentionOperations {
    private AttentionOperations() {}

    /**
     * Rotary position embedding (Su et al. 2021) in place; the result takes over {@code x}'s memory.
     *
     * @param table {@code [positions, headDim]}: cosines, then sines
     */
    public static Variable rotary(Tape tape, Variable x, int[] positions, Tensor table, int headDim) {
        Kernels kernels = tape.kernels();
        kernels.rotary(x.value(), positions, table, headDim, false);
        Variable y = tape.outputInPlace(x, x.requiresGradient());
        tape.record(y, List.of(), List.of(), () -> {
            kernels.rotary(y.gradient(), positions, table, headDim, true);
            tape.passGradient(y, x);
        });
        return y;
    }

    /** Causal attention; {@code q [n, heads · headDim]}, {@code k} and {@code v [n, kvHeads · headDim]}. */
    public static Variable attention(
            Tape tape, Variable q, Variable k, Variable v, AttentionSpans spans, AttentionShape shape) {
        boolean requires = q.requiresGradient() || k.requiresGradient() || v.requiresGradient();
        Variable y = tape.output(q.rows(), q.cols(), requires);
        Buffer logSumExp = tape.take(q.rows(), shape.heads());
        Kernels kernels = tape.kernels();
        kernels.attention(q.value(), k.value(), v.value(), spans, shape, y.value(), logSumExp.tensor());
        tape.record(y, List.of(q, k, v, y), List.of(logSumExp), () -> {
            kernels.attentionBackward(
                    q.value(),
                    k.value(),
                    v.value(),
                    spans,
                    shape,
                    y.value(),
                    logSumExp.tensor(),
                    y.gradient(),
                    tape.gradient(q),
                    tape.gradient(k),
                    tape.gradient(v));
            tape.settle(q, k, v);
        });
        return y;
    }

    /** The same for projections that one product computed: {@code qkv [n, 3 · heads · headDim]}. */
    public static Variable fusedAttention(Tape tape, Variable qkv, AttentionSpans spans, AttentionShape shape) {
        long width = qkv.cols() / 3;
        Variable y = tape.output(qkv.rows(), width, qkv.requiresGradient());
        Buffer logSumExp = tape.take(qkv.rows(), shape.heads());
        Kernels kernels = tape.kernels();
        Tensor q = qkv.value().cols(0, width);
        Tensor k = qkv.value().cols(width, width);
        Tensor v = qkv.value().cols(2 * width, width);
        kernels.attention(q, k, v, spans, shape, y.value(), logSumExp.tensor());
        tape.record(y, List.of(qkv, y), List.of(logSumExp), () -> {
            Tensor gradient = tape.gradient(qkv);
            kernels.attentionBackward(
                    q,
                    k,
                    v,
                    spans,
                    shape,
                    y.value(),
                    logSumExp.tensor(),
                    y.gradient(),
                    gradient.cols(0, width),
                    gradient.cols(width, width),
                    gradient.cols(2 * width, width));
        });
        return y;
    }

    /** Attention over {@code tokens} cached keys and values, of which {@code q}'s own are the last; for generation, without gradients. */
    public static Variable cachedAttention(
            Tape tape, Tensor q, Tensor keys, Tensor values, int tokens, AttentionShape shape) {
        Variable y = tape.output(q.rows(), q.cols(), false);
        Buffer logSumExp = tape.take(q.rows(), shape.heads());
        tape.kernels().cachedAttention(q, keys, values, tokens, shape, y.value(), logSumExp.tensor());
        tape.give(logSumExp);
        return y;
    }
}
