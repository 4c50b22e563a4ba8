package io.github.rankine.engine.kernels;

/**
 * Which rows of the queries belong to which rows of the keys, a sequence an index. The queries are the last tokens of their sequence:
 * query {@code i} of {@code q} sits at position {@code keyCount − queryCount + i} and sees the keys up to that one.
 *
 * <p>The sequences share no row and leave none of the queries out.
 *
 * @param queryStart first query row of each sequence
 * @param queryCount query rows of each sequence
 * @param keyStart   first key row of each sequence
 * @param keyCount   key rows of each sequence, at least {@code queryCount}
 */
public record AttentionSpans(int[] queryStart, int[] queryCount, int[] keyStart, int[] keyCount) {
    public AttentionSpans {
        if (queryCount.length != queryStart.length
                || keyStart.length != queryStart.length
                || keyCount.length != queryStart.length) {
            throw new IllegalArgumentException("spans of different lengths");
        }
        for (int s = 0; s < queryStart.length; s++) {
            if (keyCount[s] < queryCount[s]) {
                throw new IllegalArgumentException("sequence " + s + " has fewer keys than queries");
            }
        }
    }

    /** Spans of whole sequences that attend to themselves: sequence {@code s} is rows {@code starts[s] … starts[s+1]}. */
    public static AttentionSpans ofSequences(int[] starts) {
        int[] first = java.util.Arrays.copyOf(starts, starts.length - 1);
        int[] count = new int[first.length];
        for (int s = 0; s < count.length; s++) {
            count[s] = starts[s + 1] - starts[s];
        }
        return new AttentionSpans(first, count, first, count);
    }

    /** The span of one sequence of {@code keys} rows, the last {@code queries} of which are queries. */
    public static AttentionSpans ofLast(int queries, int keys) {
        return new AttentionSpans(new int[] {0}, new int[] {queries}, new int[] {0}, new int[] {keys});
    }

    public int sequences() {
        return queryStart.length;
    }

    /** Position, within its sequence's keys, of a sequence's query {@code i}. */
    public int position(int sequence, int i) {
        return keyCount[sequence] - queryCount[sequence] + i;
    }
}
