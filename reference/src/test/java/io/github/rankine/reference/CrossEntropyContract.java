package io.github.rankine.reference;

import static io.github.rankine.reference.Samples.largest;
import static io.github.rankine.reference.Samples.normal;
import static io.github.rankine.reference.Samples.scaled;
import static io.github.rankine.reference.Samples.size;

import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

interface CrossEntropyContract extends KernelsUnderTest {
    /** @param huge whether one logit of each row is larger than all others by thousands */
    record Logits(int n, int vocabulary, double spread, boolean huge) {
        double[] values() {
            double[] logits = scaled(normal(1, n * vocabulary), spread);
            for (int i = 0; huge && i < n; i++) {
                logits[i * vocabulary + i % vocabulary] = 10_000;
            }
            return logits;
        }

        int[] targets() {
            return new Random(2).ints(n, 0, vocabulary).toArray();
        }

        @Override
        public String toString() {
            return "n=" + n + " vocabulary=" + vocabulary + " spread=" + spread + (huge ? " one huge" : "");
        }
    }

    static Stream<Logits> logits() {
        return Stream.concat(
                IntStream.range(0, Samples.SIZES.length)
                        .mapToObj(i -> new Logits(size(i, 3), size(i, 7), i % 3 == 1 ? 28 : 1, i % 3 == 2)),
                Stream.of(
                        new Logits(1, 5003, 1, false),
                        new Logits(7, 50_257, 2, false),
                        new Logits(64, 1031, 28, false),
                        new Logits(3, 1031, 1, true)));
    }

    @TestFactory
    default Stream<DynamicTest> crossEntropy() {
        return logits().flatMap(s -> {
            double[] values = s.values();
            double[] losses = CrossEntropy.losses(values, s.targets());
            float scale = -0.013f;
            double[] gradient = CrossEntropy.backward(values, s.targets(), scale);
            return trials(s.toString(), t -> {
                var lossesOnly = t.output(null, s.n, 1);
                t.kernels().crossEntropy(t.input(values, s.n, s.vocabulary), s.targets(), lossesOnly, false, scale);
                t.expect(lossesOnly, losses, Math.max(1, 0.1 * largest(values)));
                var logits = t.output(values, s.n, s.vocabulary);
                var out = t.output(null, s.n, 1);
                t.kernels().crossEntropy(logits, s.targets(), out, true, scale);
                t.expect(out, losses, Math.max(1, 0.1 * largest(values)));
                t.expect(logits, gradient, Math.abs(scale));
            });
        });
    }
}
