package io.github.rankine.tornado;

import io.github.rankine.engine.kernels.AttentionShape;
import io.github.rankine.engine.kernels.AttentionSpans;
import io.github.rankine.engine.tensor.Tensor;

/** Which keys each query row sees, and which queries see each key row: neighbours all, from a first up to an end. */
record SeenRows(Question of, int[] firstKey, int[] keyEnd, int[] firstQuery, int[] queryEnd) {
    /** What they depend on: the same for all layers of a pass, but where a prefix is. */
    record Question(AttentionSpans spans, int slidingWindow, long queries, long keys) {}

    /** {@code last} itself, if it is the answer: then its arrays go to the device once. */
    static SeenRows of(SeenRows last, AttentionSpans spans, AttentionShape shape, Tensor q, Tensor k, Tensor v) {
        boolean right = q.cols() == (long) shape.heads() * shape.headDim()
                && k.cols() == (long) shape.kvHeads() * shape.headDim()
                && v.rows() == k.rows()
                && v.cols() == k.cols()
                && shape.headDim() <= AttentionKernels.MAX_HEAD_DIM;
        for (int s = 0; s < spans.sequences(); s++) {
            right &= spans.queryStart()[s] >= 0 && spans.queryStart()[s] + spans.queryCount()[s] <= q.rows();
            right &= spans.keyStart()[s] >= 0 && spans.keyStart()[s] + spans.keyCount()[s] <= k.rows();
        }
        Call.check(right, "attention", q, k, v, shape);
        Question question = new Question(spans, shape.slidingWindow(), q.rows(), k.rows());
        if (last != null && last.of.equals(question)) {
            return last;
        }
        SeenRows seen = new SeenRows(
                question,
                new int[(int) q.rows()],
                new int[(int) q.rows()],
                new int[(int) k.rows()],
                new int[(int) k.rows()]);
        for (int s = 0; s < spans.sequences(); s++) {
            seen.add(spans, shape, s);
        }
        return seen;
    }

    private void add(AttentionSpans spans, AttentionShape shape, int s) {
        int keyStart = spans.keyStart()[s];
        int queryStart = spans.queryStart()[s];
        int queries = spans.queryCount()[s];
        for (int i = 0; i < queries; i++) {
            int position = spans.position(s, i);
            firstKey[queryStart + i] = keyStart + shape.firstKey(position);
            keyEnd[queryStart + i] = keyStart + position + 1;
        }
        int past = spans.keyCount()[s] - queries;
        for (int position = 0; position < spans.keyCount()[s]; position++) {
            int first = Math.max(0, position - past);
            int end = shape.slidingWindow() == 0 ? queries : Math.min(queries, position + shape.slidingWindow() - past);
            firstQuery[keyStart + position] = queryStart + first;
            queryEnd[keyStart + position] = queryStart + Math.max(first, end);
        }
    }
}
