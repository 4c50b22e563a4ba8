package io.github.rankine.reference;

import io.github.rankine.engine.kernels.AttentionShape;
import io.github.rankine.engine.kernels.AttentionSpans;
import java.util.function.Consumer;

/**
 * Causal attention with grouped queries, one query of one head at a time. {@code q[n, heads · headDim]}; {@code k} and
 * {@code v} are {@code [m, kvHeads · headDim]}.
 */
final class Attention {
    private final AttentionShape shape;
    private final double[] q;
    private final double[] k;
    private final double[] v;
    private final AttentionSpans spans;

    Attention(double[] q, double[] k, double[] v, AttentionSpans spans, AttentionShape shape) {
        this.q = q;
        this.k = k;
        this.v = v;
        this.spans = spans;
        this.shape = shape;
    }

    /** One query of one head: its row and the rows of the keys it sees, {@code first} to {@code last}. */
    private record Query(int row, int head, int first, int last) {}

    /** Calls {@code action} for every query of every sequence and head. */
    private void forEachQuery(Consumer<Query> action) {
        for (int s = 0; s < spans.sequences(); s++) {
            int keys = spans.keyStart()[s];
            for (int i = 0; i < spans.queryCount()[s]; i++) {
                int position = spans.position(s, i);
                for (int head = 0; head < shape.heads(); head++) {
                    int row = spans.queryStart()[s] + i;
                    action.accept(new Query(row, head, keys + shape.firstKey(position), keys + position));
                }
            }
        }
    }

    /**
     * @param out       {@code [n, heads · headDim]}
     * @param logSumExp {@code [n, heads]}
     */
    record Output(double[] out, double[] logSumExp) {}

    /** {@code out = Σ_j softmax_j(scale · q · k_j) · v_j}. */
    Output forward() {
        Output result = new Output(new double[q.length], new double[q.length / shape.headDim()]);
        forEachQuery(query -> {
            double max = Double.NEGATIVE_INFINITY;
            for (int j = query.first; j <= query.last; j++) {
                max = Math.max(max, score(query, j));
            }
            double sum = 0;
            for (int j = query.first; j <= query.last; j++) {
                sum += Math.exp(score(query, j) - max);
            }
            double logSumExp = max + Math.log(sum);
            result.logSumExp[query.row * shape.heads() + query.head] = logSumExp;
            for (int j = query.first; j <= query.last; j++) {
                double probability = Math.exp(score(query, j) - max) / sum;
                for (int d = 0; d < shape.headDim(); d++) {
                    result.out[queryAt(query) + d] += probability * v[keyAt(query, j) + d];
                }
            }
        });
        return result;
    }

    /** Shaped as {@code q}, {@code k} and {@code v}. */
    record Gradients(double[] dq, double[] dk, double[] dv) {}

    /**
     * With {@code p_j} a query's probabilities: {@code dv_j = p_j · dOut}, {@code dp_j = dOut · v_j},
     * {@code ds_j = p_j · (dp_j − dOut · out)}, {@code dq = scale · Σ_j ds_j · k_j}, {@code dk_j = scale · ds_j · q}.
     */
    Gradients backward(Output forward, double[] dOut) {
        Gradients result = new Gradients(new double[q.length], new double[k.length], new double[v.length]);
        forEachQuery(query -> {
            int at = queryAt(query);
            double logSumExp = forward.logSumExp[query.row * shape.heads() + query.head];
            double mean = dot(dOut, at, forward.out, at);
            for (int j = query.first; j <= query.last; j++) {
                int key = keyAt(query, j);
                double probability = Math.exp(score(query, j) - logSumExp);
                double dScore = shape.scale() * probability * (dot(dOut, at, v, key) - mean);
                for (int d = 0; d < shape.headDim(); d++) {
                    result.dv[key + d] += probability * dOut[at + d];
                    result.dq[at + d] += dScore * k[key + d];
                    result.dk[key + d] += dScore * q[at + d];
                }
            }
        });
        return result;
    }

    private double score(Query query, int key) {
        return shape.scale() * dot(q, queryAt(query), k, keyAt(query, key));
    }

    /** First feature of the query in {@code q} and whatever is shaped like it. */
    private int queryAt(Query query) {
        return (query.row * shape.heads() + query.head) * shape.headDim();
    }

    /** First feature, in {@code k} and {@code v}, of the key head that serves the query. */
    private int keyAt(Query query, int key) {
        return (key * shape.kvHeads() + query.head / shape.group()) * shape.headDim();
    }

    private double dot(double[] a, int aAt, double[] b, int bAt) {
        double sum = 0;
        for (int d = 0; d < shape.headDim(); d++) {
            sum += a[aAt + d] * b[bAt + d];
        }
        return sum;
    }
}
