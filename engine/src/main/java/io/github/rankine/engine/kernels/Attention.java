package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.NR;

import io.github.rankine.engine.tensor.Tensor;

/** Attention of a batch's sequences to themselves, and of a sequence's last tokens to a cache. */
final class Attention {
    private final Workers workers;
    private final AttentionForward forward;
    private final AttentionDecode decode;
    private final AttentionBackward backward;

    Attention(Workers workers) {
        this.workers = workers;
        forward = new AttentionForward(workers);
        decode = new AttentionDecode(workers);
        backward = new AttentionBackward(workers);
    }

    void forward(
            Tensor q, Tensor k, Tensor v, AttentionSpans spans, AttentionShape shape, Tensor out, Tensor logSumExp) {
        HeadRows keys = HeadRows.of(k, shape.headDim());
        HeadRows values = HeadRows.of(v, shape.headDim());
        forward.run(q, keys, values, spans, shape, out, logSumExp);
    }

    /** Stores keys and values in a cache, a panel's a task. */
    void store(Tensor k, Tensor v, Tensor keys, Tensor values, int position, AttentionShape shape) {
        CacheLayout layout = new CacheLayout(shape);
        int end = position + (int) k.rows();
        int panel = position / NR;
        workers.run(Math.ceilDiv(end, NR) - panel, (task, _) -> {
            int from = Math.max(position, (panel + task) * NR);
            int to = Math.min(end, (panel + task + 1) * NR);
            layout.storeKeys(k, from - position, to - position, keys, from);
            layout.storeValues(v, from - position, to - position, values, from);
        });
    }

    /** From few tokens the cache is read as it lies; for more it pays to pack it. */
    void cached(Tensor q, Tensor keys, Tensor values, int tokens, AttentionShape shape, Tensor out, Tensor logSumExp) {
        if (q.rows() <= AttentionDecode.MAX_QUERIES) {
            decode.run(q, keys, values, tokens, shape, out, logSumExp);
        } else {
            CacheLayout layout = new CacheLayout(shape);
            AttentionSpans spans = AttentionSpans.ofLast((int) q.rows(), tokens);
            forward.run(q, layout.keys(keys), layout.values(values), spans, shape, out, logSumExp);
        }
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
