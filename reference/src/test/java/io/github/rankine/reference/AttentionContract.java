package io.github.rankine.reference;

import static io.github.rankine.reference.Samples.largest;
import static io.github.rankine.reference.Samples.normal;
import static io.github.rankine.reference.Samples.rounded;
import static io.github.rankine.reference.Samples.scaled;

import io.github.rankine.engine.kernels.AttentionShape;
import io.github.rankine.engine.kernels.AttentionSpans;
import io.github.rankine.engine.tensor.DType;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

interface AttentionContract extends KernelsUnderTest {
    /**
     * The size of normal numbers as a share of the largest: a query's gradient is keys times differences that are of the size
     * of 1 and may cancel, and so is a key's.
     */
    double TYPICAL = 0.25;

    /** Tokens that a cache holds beyond those that are attended to. */
    int BEYOND = 3;

    /** How large the scores are. */
    enum Scores {
        /** Standard normal. */
        UNIT,
        /** Up to ±80 and a little more: most probabilities vanish. */
        LARGE,
        /** One key of each sequence has scores of hundreds, of either sign. */
        ONE_HUGE
    }

    /**
     * @param queries query rows of each sequence
     * @param past    keys of each sequence before its first query's own, as in a KV cache
     */
    record Case(int heads, int kvHeads, int headDim, int window, int[] queries, int[] past, Scores scores) {
        int queryRows() {
            return IntStream.of(queries).sum();
        }

        int keyRows() {
            return queryRows() + IntStream.of(past).sum();
        }

        int width() {
            return heads * headDim;
        }

        int kvWidth() {
            return kvHeads * headDim;
        }

        AttentionShape shape() {
            return new AttentionShape(heads, kvHeads, headDim, (float) (1 / Math.sqrt(headDim)), window);
        }

        AttentionSpans spans() {
            int[] queryStart = new int[queries.length];
            int[] keyStart = new int[queries.length];
            int[] keyCount = new int[queries.length];
            for (int s = 0; s < queries.length; s++) {
                keyCount[s] = queries[s] + past[s];
                if (s > 0) {
                    queryStart[s] = queryStart[s - 1] + queries[s - 1];
                    keyStart[s] = keyStart[s - 1] + keyCount[s - 1];
                }
            }
            return new AttentionSpans(queryStart, queries, keyStart, keyCount);
        }

        double[] q() {
            return scaled(normal(1, queryRows() * width()), scores == Scores.LARGE ? 28 : 1);
        }

        double[] k() {
            double[] k = normal(2, keyRows() * kvWidth());
            if (scores == Scores.ONE_HUGE) {
                for (int first : spans().keyStart()) {
                    for (int i = first * kvWidth(); i < (first + 1) * kvWidth(); i++) {
                        k[i] *= 256;
                    }
                }
            }
            return k;
        }

        double[] v() {
            return normal(3, keyRows() * kvWidth());
        }

        double[] dOut() {
            return normal(4, queryRows() * width());
        }

        /**
         * A score is known in float32 to about 1e-7 of its size, and the probability to that much absolutely: with scores of
         * hundreds the magnitude that errors are relative to is as much larger.
         */
        double floor(double magnitude) {
            double largestScore = DoubleStream.of(reference().forward().logSumExp())
                    .map(Math::abs)
                    .max()
                    .orElseThrow();
            return magnitude * Math.max(1, largestScore / 8);
        }

        Attention reference() {
            return new Attention(q(), k(), v(), spans(), shape());
        }

        @Override
        public String toString() {
            return "heads=" + heads + "/" + kvHeads + " headDim=" + headDim + " window=" + window + " queries="
                    + Arrays.toString(queries) + " past=" + Arrays.toString(past) + " " + scores;
        }
    }

    static List<Case> cases() {
        int[][] sequences = {{1}, {2}, {7, 1, 15}, {33, 5}, {65}, {3, 17, 31, 1, 9}};
        int[][] heads = {{2, 2}, {4, 2}, {4, 1}, {3, 3}};
        int[] windows = {0, 0, 1, 5, 16, 100};
        List<Case> cases = new ArrayList<>();
        for (int headDim : new int[] {8, 64, 80, 128, 5}) {
            for (int i = 0; i < 12; i++) {
                int[] queries = sequences[i % sequences.length];
                int[] past = new int[queries.length];
                if (i % 4 == 3) {
                    Arrays.setAll(past, s -> 5 + 20 * s);
                }
                int[] group = heads[(i + headDim / 8) % heads.length];
                Scores scores = Scores.values()[(i + headDim) % 3];
                int window = windows[(i + i / 6) % windows.length];
                cases.add(new Case(group[0], group[1], headDim, window, queries, past, scores));
            }
        }
        cases.add(new Case(4, 2, 64, 0, new int[] {129}, new int[] {0}, Scores.UNIT));
        cases.add(new Case(2, 1, 16, 0, new int[] {257, 300}, new int[] {0, 0}, Scores.UNIT));
        cases.add(new Case(2, 1, 16, 50, new int[] {257, 300}, new int[] {0, 0}, Scores.LARGE));
        cases.add(new Case(4, 1, 64, 0, new int[] {1, 1, 1}, new int[] {299, 0, 96}, Scores.UNIT));
        cases.add(new Case(4, 2, 80, 33, new int[] {1, 1}, new int[] {299, 97}, Scores.UNIT));
        cases.add(new Case(9, 3, 64, 0, new int[] {1}, new int[] {500}, Scores.LARGE));
        cases.add(new Case(4, 2, 64, 0, new int[] {5, 64}, new int[] {300, 63}, Scores.ONE_HUGE));
        // A query with so many keys that its heads are put together by several tasks.
        cases.add(new Case(2, 1, 128, 0, new int[] {1}, new int[] {4200}, Scores.UNIT));
        // A few queries that see none of most of a task's keys.
        cases.add(new Case(4, 2, 64, 40, new int[] {3, 4, 1}, new int[] {500, 700, 90}, Scores.UNIT));
        // More queries, and more keys of more heads, than are worked on at a time.
        cases.add(new Case(2, 1, 8, 0, new int[] {1100}, new int[] {0}, Scores.UNIT));
        cases.add(new Case(2, 1, 8, 70, new int[] {1100}, new int[] {33}, Scores.UNIT));
        cases.add(new Case(9, 9, 128, 0, new int[] {5}, new int[] {1400}, Scores.UNIT));
        return cases;
    }

    @TestFactory
    default Stream<DynamicTest> attention() {
        return cases().stream().flatMap(s -> {
            double[] q = s.q();
            double[] k = s.k();
            double[] v = s.v();
            var expected = s.reference().forward();
            double floor = s.floor(largest(expected.out()));
            return trials(s.toString(), t -> {
                var out = t.output(null, s.queryRows(), s.width());
                var logSumExp = t.output(null, s.queryRows(), s.heads);
                t.kernels()
                        .attention(
                                t.input(q, s.queryRows(), s.width()),
                                t.input(k, s.keyRows(), s.kvWidth()),
                                t.input(v, s.keyRows(), s.kvWidth()),
                                s.spans(),
                                s.shape(),
                                out,
                                logSumExp);
                t.expect(out, expected.out(), floor);
                t.expect(logSumExp, expected.logSumExp(), 1);
            });
        });
    }

    @TestFactory
    default Stream<DynamicTest> attentionBackward() {
        return cases().stream().flatMap(s -> {
            double[] q = s.q();
            double[] k = s.k();
            double[] v = s.v();
            var exact = s.reference().forward();
            var forward = new Attention.Output(rounded(DType.F32, exact.out()), rounded(DType.F32, exact.logSumExp()));
            var expected = s.reference().backward(forward, s.dOut());
            double[] dOut = s.dOut();
            double floor = s.floor(1);
            double largestQuery = largest(q);
            double largestKey = largest(k);
            return trials(s.toString(), t -> {
                var dq = t.output(null, s.queryRows(), s.width());
                var dk = t.output(null, s.keyRows(), s.kvWidth());
                var dv = t.output(null, s.keyRows(), s.kvWidth());
                t.kernels()
                        .attentionBackward(
                                t.input(q, s.queryRows(), s.width()),
                                t.input(k, s.keyRows(), s.kvWidth()),
                                t.input(v, s.keyRows(), s.kvWidth()),
                                s.spans(),
                                s.shape(),
                                t.input(forward.out(), s.queryRows(), s.width()),
                                t.input(forward.logSumExp(), s.queryRows(), s.heads),
                                t.input(dOut, s.queryRows(), s.width()),
                                dq,
                                dk,
                                dv);
                t.expect(dq, expected.dq(), floor * Math.max(TYPICAL * largestKey, largest(expected.dq())));
                t.expect(dk, expected.dk(), floor * Math.max(TYPICAL * largestQuery, largest(expected.dk())));
                t.expect(dv, expected.dv(), floor * Math.max(1, largest(expected.dv())));
            });
        });
    }

    /** The same from a cache for each sequence, which is filled in pieces; of what it holds beyond the sequence nothing is read. */
    @TestFactory
    default Stream<DynamicTest> cachedAttention() {
        return cases().stream().flatMap(s -> {
            double[] q = s.q();
            double[] k = s.k();
            double[] v = s.v();
            var expected = s.reference().forward();
            double floor = s.floor(largest(expected.out()));
            return trials(s.toString(), t -> {
                var queries = t.input(q, s.queryRows(), s.width());
                var keys = t.input(k, s.keyRows(), s.kvWidth());
                var values = t.input(v, s.keyRows(), s.kvWidth());
                var nothing = t.input(constant(Double.NaN, BEYOND * s.kvWidth()), BEYOND, s.kvWidth());
                var out = t.output(null, s.queryRows(), s.width());
                var logSumExp = t.output(null, s.queryRows(), s.heads);
                try (Arena arena = Arena.ofShared()) {
                    for (int i = 0; i < s.queries.length; i++) {
                        int tokens = s.past[i] + s.queries[i];
                        int first = s.spans().keyStart()[i];
                        var cachedKeys = t.kernels().allocateCache(arena, tokens + BEYOND, s.shape());
                        var cachedValues = t.kernels().allocateCache(arena, tokens + BEYOND, s.shape());
                        for (int at = 0, next; at < tokens; at = next) {
                            next = Math.min(tokens, 2 * at + 1);
                            var newKeys = keys.rows(first + at, next - at);
                            var newValues = values.rows(first + at, next - at);
                            t.kernels().store(newKeys, newValues, cachedKeys, cachedValues, at, s.shape());
                        }
                        t.kernels().store(nothing, nothing, cachedKeys, cachedValues, tokens, s.shape());
                        int row = s.spans().queryStart()[i];
                        t.kernels()
                                .cachedAttention(
                                        queries.rows(row, s.queries[i]),
                                        cachedKeys,
                                        cachedValues,
                                        tokens,
                                        s.shape(),
                                        out.rows(row, s.queries[i]),
                                        logSumExp.rows(row, s.queries[i]));
                    }
                    t.kernels().finish();
                }
                t.expect(out, expected.out(), floor);
                t.expect(logSumExp, expected.logSumExp(), 1);
            });
        });
    }

    private static double[] constant(double value, int count) {
        double[] values = new double[count];
        Arrays.fill(values, value);
        return values;
    }
}
