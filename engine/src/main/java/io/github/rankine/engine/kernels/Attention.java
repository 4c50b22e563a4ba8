package io.github.rankine.engine.kernels;

import io.github.rankine.engine.tensor.Tensor;

/** Attention of all sequences of a batch: those with few queries one way, the others another. */
final class Attention {
    private final AttentionForward forward;
    private final AttentionDecode decode;
    private final AttentionBackward backward;
    private int[] longer = new int[0];
    private int[] shorter = new int[0];

    Attention(Workers workers) {
        forward = new AttentionForward(workers);
        decode = new AttentionDecode(workers);
        backward = new AttentionBackward(workers);
    }

    void forward(
            Tensor q, Tensor k, Tensor v, AttentionSpans spans, AttentionShape shape, Tensor out, Tensor logSumExp) {
        if (longer.length < spans.sequences()) {
            longer = new int[spans.sequences()];
            shorter = new int[spans.sequences()];
        }
        int longCount = 0;
        int shortCount = 0;
        for (int s = 0; s < spans.sequences(); s++) {
            if (spans.queryCount()[s] > AttentionDecode.MAX_QUERIES) {
                longer[longCount++] = s;
            } else {
                shorter[shortCount++] = s;
            }
        }
        decode.run(q, k, v, spans, shape, out, logSumExp, shorter, shortCount);
        forward.run(q, k, v, spans, shape, out, logSumExp, longer, longCount);
    }

    void backward(
            Tensor q,
            Tensor k,
            Tensor v,
            AttentionSpans spans,
            AttentionShape shape,
            Tensor out,
            Tensor logSumExp,
            Tensor dOut,
            Tensor dq,
            Tensor dk,
            Tensor dv) {
        backward.run(q, k, v, spans, shape, out, logSumExp, dOut, dq, dk, dv);
    }
}
