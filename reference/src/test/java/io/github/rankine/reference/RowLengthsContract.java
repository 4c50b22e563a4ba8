package io.github.rankine.reference;

import static io.github.rankine.reference.Samples.normal;
import static io.github.rankine.reference.Samples.plus;
import static io.github.rankine.reference.Samples.rounded;
import static io.github.rankine.reference.Samples.size;

import io.github.rankine.engine.tensor.DType;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

interface RowLengthsContract extends KernelsUnderTest {
    /** A weight's rows and columns, a rank, and a number that chooses among variants. */
    record Layer(int n, int d, int rank, int variant) {
        boolean hasBias() {
            return variant % 2 == 0;
        }

        DType type() {
            return DType.values()[variant % DType.values().length];
        }

        @Override
        public String toString() {
            return "n=" + n + " d=" + d + " r=" + rank + (hasBias() ? " bias" : "") + " " + type();
        }
    }

    static Stream<Layer> layers() {
        return Stream.concat(
                IntStream.range(0, Samples.SIZES.length).mapToObj(i -> new Layer(size(i, 3), size(i, 7), 1 + i % 9, i)),
                Stream.of(new Layer(130, 1037, 8, 0), new Layer(700, 300, 64, 1)));
    }

    @TestFactory
    default Stream<DynamicTest> squaredNorms() {
        return layers().flatMap(s -> Stream.of(true, false).flatMap(columns -> {
            double[] w = normal(1, s.n * s.d, s.type());
            double[] expected = RowLengths.squaredNorms(w, s.n, s.d, columns);
            return trials(s + (columns ? " columns" : " rows"), t -> {
                var out = t.output(null, 1, columns ? s.d : s.n);
                t.kernels().squaredNorms(t.weight(s.type(), w, s.n, s.d), columns, out);
                t.expect(out, expected, 1);
            });
        }));
    }

    @TestFactory
    default Stream<DynamicTest> doraFactors() {
        return layers().flatMap(s -> {
            float scaling = 0.3f;
            double[] w = normal(1, s.n * s.d);
            double[] a = normal(2, s.rank * s.d);
            double[] b = normal(3, s.n * s.rank);
            double[] magnitude = normal(4, s.n);
            double[] squares = rounded(DType.F32, RowLengths.squaredNorms(w, s.n, s.d, false));
            double[] aw = rounded(DType.F32, Products.matmulNT(a, w, s.rank, s.n, s.d, 1));
            double[] aa = Products.matmulNT(a, a, s.rank, s.rank, s.d, 1);
            double[] ba = rounded(DType.F32, Products.matmulNN(b, aa, s.n, s.rank, s.rank, 1));
            double[] inverse = RowLengths.inverseNorms(squares, b, aw, ba, s.rank, scaling);
            double[] factors = new double[s.n];
            for (int j = 0; j < s.n; j++) {
                factors[j] = magnitude[j] * inverse[j];
            }
            return trials(s.toString(), t -> {
                var factorsOut = t.output(null, 1, s.n);
                var inverseOut = t.output(null, 1, s.n);
                t.kernels()
                        .doraFactors(
                                t.input(squares, 1, s.n),
                                t.weight(DType.F32, b, s.n, s.rank),
                                t.input(aw, s.rank, s.n),
                                t.input(ba, s.n, s.rank),
                                scaling,
                                t.weight(DType.F32, magnitude, 1, s.n),
                                factorsOut,
                                inverseOut);
                t.expectEach(factorsOut, factors, 1);
                t.expectEach(inverseOut, inverse, 1);
            });
        });
    }

    @TestFactory
    default Stream<DynamicTest> rescale() {
        return layers().flatMap(s -> {
            double[] x = normal(1, s.n * s.d);
            double[] factors = normal(2, s.d);
            double[] bias = normal(3, s.d, s.type());
            double[] expected = RowLengths.rescale(x, factors, s.hasBias() ? bias : new double[s.d]);
            return trials(s.toString(), t -> {
                var weight = s.hasBias() ? t.weight(s.type(), bias, 1, s.d) : null;
                var out = t.output(null, s.n, s.d);
                t.kernels().rescale(t.input(x, s.n, s.d), t.input(factors, 1, s.d), weight, out);
                t.expect(out, expected, 1);
                var inPlace = t.output(x, s.n, s.d);
                t.kernels().rescale(inPlace, t.input(factors, 1, s.d), weight, inPlace);
                t.expect(inPlace, expected, 1);
            });
        });
    }

    @TestFactory
    default Stream<DynamicTest> rescaleBackward() {
        return layers().flatMap(s -> {
            double[] x = normal(1, s.n * s.d);
            double[] inverse = normal(2, s.d);
            double[] bias = normal(3, s.d, s.type());
            double[] dy = normal(4, s.n * s.d);
            double[] before = normal(5, s.d);
            double[] expected =
                    plus(before, RowLengths.rescaleBackward(x, inverse, s.hasBias() ? bias : new double[s.d], dy));
            return trials(s.toString(), t -> {
                var weight = s.hasBias() ? t.weight(s.type(), bias, 1, s.d) : null;
                var out = t.output(before, 1, s.d);
                t.kernels()
                        .rescaleBackward(
                                t.input(x, s.n, s.d), t.input(inverse, 1, s.d), weight, t.input(dy, s.n, s.d), out);
                t.expect(out, expected, Math.sqrt(s.n));
            });
        });
    }
}
