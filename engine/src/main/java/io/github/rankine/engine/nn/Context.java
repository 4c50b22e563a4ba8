package io.github.rankine.engine.nn;

import io.github.rankine.engine.kernels.AttentionShape;
import io.github.rankine.engine.kernels.AttentionSpans;
import io.github.rankine.engine.tape.AttentionOperations;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.Variable;
import io.github.rankine.engine.tensor.Tensor;
import java.util.Arrays;

/**
 * Where the rows of a forward pass stand.
 *
 * @param positions     position of each row in its sequence
 * @param positionLimit one more than the highest of them
 * @param starts        first row of each sequence, then the number of rows
 * @param spans         which rows see which keys of their own
 * @param prefix        keys and values of virtual tokens before every sequence; null for none
 * @param cache         keys and values of earlier tokens, the prefix's among them; null in training
 */
record Context(
        int[] positions, int positionLimit, int[] starts, AttentionSpans spans, Variable prefix, KeyValueCache cache) {
    static Context of(Batch batch, Variable prefix) {
        int first = prefix == null ? 0 : (int) prefix.rows();
        int[] positions = new int[batch.tokens()];
        int limit = 0;
        for (int i = 0; i < positions.length; i++) {
            positions[i] = first + batch.positions()[i];
            limit = Math.max(limit, positions[i] + 1);
        }
        return new Context(positions, limit, batch.starts(), AttentionSpans.ofSequences(batch.starts()), prefix, null);
    }

    /** {@code count} tokens that follow those in the cache. */
    static Context after(KeyValueCache cache, int count) {
        int[] positions = new int[count];
        for (int i = 0; i < count; i++) {
            positions[i] = cache.length() + i;
        }
        int limit = cache.length() + count;
        return new Context(positions, limit, new int[] {0, count}, AttentionSpans.ofLast(count, limit), null, cache);
    }

    /** The same rows as keys, of which only the last is asked for what it attends to. */
    Context onlyLast() {
        if (queries() == 1) {
            return this;
        }
        return new Context(positions, positionLimit, starts, AttentionSpans.ofLast(1, positionLimit), prefix, cache);
    }

    /** How many of the rows, the last ones, are queries: their results are wanted. */
    int queries() {
        int count = 0;
        for (int sequence = 0; sequence < spans.sequences(); sequence++) {
            count += spans.queryCount()[sequence];
        }
        return count;
    }

    /** Positions of those rows; where that is all of them, the same array, of which a device keeps one copy. */
    int[] queryPositions() {
        int first = positions.length - queries();
        return first == 0 ? positions : Arrays.copyOfRange(positions, first, positions.length);
    }

    /** Those rows of {@code x}, which lives on. */
    Variable queries(Tape tape, Variable x) {
        int count = queries();
        return count == x.rows() ? x : tape.rows(x, (int) x.rows() - count, count);
    }

    /** Attention over the cache, after adding these keys and values to it. */
    Variable cached(Tape tape, int layer, Tensor queries, Tensor keys, Tensor values, AttentionShape shape) {
        cache.store(layer, keys, values);
        return AttentionOperations.cachedAttention(
                tape, queries, cache.keys(layer), cache.values(layer), positionLimit, shape);
    }
}
