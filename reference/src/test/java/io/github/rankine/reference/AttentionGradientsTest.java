package io.github.rankine.reference;

import static io.github.rankine.reference.FiniteDifferences.check;
import static io.github.rankine.reference.FiniteDifferences.normal;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.engine.kernels.AttentionShape;
import io.github.rankine.engine.kernels.AttentionSpans;
import java.util.Arrays;
import java.util.function.Supplier;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AttentionGradientsTest {
    /** Heads, key heads, features and window over a sequence of one token, longer ones, and a query that has a past. */
    @ParameterizedTest
    @CsvSource({"1, 1, 1, 0", "2, 2, 3, 0", "4, 2, 5, 0", "4, 1, 2, 0", "2, 1, 4, 1", "4, 2, 3, 3", "2, 2, 2, 100"})
    void attention(int heads, int kvHeads, int headDim, int window) {
        AttentionShape shape = new AttentionShape(heads, kvHeads, headDim, 0.6f, window);
        AttentionSpans spans =
                new AttentionSpans(new int[] {0, 1, 6}, new int[] {1, 5, 2}, new int[] {0, 1, 6}, new int[] {1, 5, 7});
        double[] q = normal(1, 8 * heads * headDim);
        double[] k = normal(2, 13 * kvHeads * headDim);
        double[] v = normal(3, 13 * kvHeads * headDim);
        double[] dOut = normal(4, q.length);
        Supplier<double[]> out =
                () -> new Attention(q, k, v, spans, shape).forward().out();
        Attention attention = new Attention(q, k, v, spans, shape);
        Attention.Gradients gradients = attention.backward(attention.forward(), dOut);
        if (window != 1) {
            check(q, out, dOut, gradients.dq());
            check(k, out, dOut, gradients.dk());
        }
        check(v, out, dOut, gradients.dv());
    }

    @Test
    void aWindowOfOneKeyLeavesNothingToTheScores() {
        AttentionShape shape = new AttentionShape(2, 1, 3, 0.6f, 1);
        AttentionSpans spans = AttentionSpans.ofSequences(new int[] {0, 2, 5});
        double[] v = normal(3, 5 * 3);
        Attention attention = new Attention(normal(1, 5 * 6), normal(2, 5 * 3), v, spans, shape);
        Attention.Output output = attention.forward();
        Attention.Gradients gradients = attention.backward(output, normal(4, 5 * 6));
        assertThat(Arrays.copyOfRange(output.out(), 3, 6)).containsExactly(Arrays.copyOf(v, 3));
        assertThat(DoubleStream.of(gradients.dq()).map(Math::abs).max().orElseThrow())
                .isLessThan(1e-14);
        assertThat(DoubleStream.of(gradients.dk()).map(Math::abs).max().orElseThrow())
                .isLessThan(1e-14);
    }
}
