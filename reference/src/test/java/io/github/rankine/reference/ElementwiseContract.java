package io.github.rankine.reference;

import static io.github.rankine.reference.Samples.normal;
import static io.github.rankine.reference.Samples.plus;
import static io.github.rankine.reference.Samples.scaled;
import static io.github.rankine.reference.Samples.size;

import io.github.rankine.engine.tensor.DType;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

interface ElementwiseContract extends KernelsUnderTest {
    /** Errors of functions of unit-sized arguments are a fifth of the tolerance at most. */
    double UNIT = 0.2;

    /** A matrix, and a number that chooses among variants. */
    record Matrix(int n, int d, int variant) {
        int size() {
            return n * d;
        }

        boolean accumulate() {
            return variant % 2 == 1;
        }

        @Override
        public String toString() {
            return "n=" + n + " d=" + d;
        }
    }

    /** All sizes in each place, and one that is worth several threads. */
    static Stream<Matrix> matrices() {
        return Stream.concat(
                IntStream.range(0, Samples.SIZES.length).mapToObj(i -> new Matrix(size(i, 3), size(i, 7), i)),
                Stream.of(new Matrix(130, 1037, 0), new Matrix(1, 40_007, 1)));
    }

    @TestFactory
    default Stream<DynamicTest> add() {
        return matrices().flatMap(s -> {
            double[] x = normal(1, s.size());
            double[] y = normal(2, s.size());
            return trials(s.toString(), t -> {
                var out = t.output(y, s.n, s.d);
                t.kernels().add(t.input(x, s.n, s.d), out);
                t.expectExactly(out, plus(x, y));
            });
        });
    }

    @TestFactory
    default Stream<DynamicTest> copyAndClear() {
        return matrices().flatMap(s -> {
            double[] x = normal(1, s.size());
            return trials(s.toString(), t -> {
                var out = t.output(null, s.n, s.d);
                t.kernels().copy(t.input(x, s.n, s.d), out);
                t.expectExactly(out, x);
                var cleared = t.output(x, s.n, s.d);
                t.kernels().clear(cleared);
                t.expectExactly(cleared, new double[s.size()]);
            });
        });
    }

    @TestFactory
    default Stream<DynamicTest> tanh() {
        return matrices().flatMap(s -> {
            double[] x = scaled(normal(1, s.size()), 2);
            double[] y = Samples.rounded(DType.F32, Elementwise.tanh(x));
            double[] dy = normal(2, s.size());
            return trials(s.toString(), t -> {
                var out = t.output(null, s.n, s.d);
                t.kernels().tanh(t.input(x, s.n, s.d), out);
                t.expect(out, y, 1);
                var inPlace = t.output(x, s.n, s.d);
                t.kernels().tanh(inPlace, inPlace);
                t.expect(inPlace, y, 1);
                var dx = t.output(dy, s.n, s.d);
                t.kernels().tanhBackward(t.input(y, s.n, s.d), dx, dx);
                t.expect(dx, Elementwise.tanhBackward(y, dy), 1);
            });
        });
    }

    @TestFactory
    default Stream<DynamicTest> scale() {
        return matrices().flatMap(s -> {
            double[] x = normal(1, s.size());
            float alpha = -0.37f;
            return trials(s.toString(), t -> {
                var out = t.output(null, s.n, s.d);
                t.kernels().scale(t.input(x, s.n, s.d), alpha, out);
                t.expectExactly(out, Elementwise.scale(x, alpha));
                var inPlace = t.output(x, s.n, s.d);
                t.kernels().scale(inPlace, alpha, inPlace);
                t.expectExactly(inPlace, Elementwise.scale(x, alpha));
            });
        });
    }

    @TestFactory
    default Stream<DynamicTest> addBias() {
        return matrices().flatMap(s -> {
            DType type = DType.values()[s.variant % 3];
            double[] bias = normal(1, s.d, type);
            double[] y = normal(2, s.size());
            double[] expected = plus(Elementwise.bias(bias, s.n), y);
            return trials(s + " " + type, t -> {
                var out = t.output(y, s.n, s.d);
                t.kernels().addBias(out, t.weight(type, bias, 1, s.d));
                t.expectExactly(out, expected);
            });
        });
    }

    @TestFactory
    default Stream<DynamicTest> addBiasBackward() {
        return matrices().flatMap(s -> {
            double[] dy = normal(1, s.size());
            double[] initial = normal(2, s.d);
            double[] expected = plus(Elementwise.biasBackward(dy, s.n, s.d), initial);
            return trials(s.toString(), t -> {
                var out = t.output(initial, 1, s.d);
                t.kernels().addBiasBackward(t.input(dy, s.n, s.d), out);
                t.expect(out, expected, Math.sqrt(s.n));
            });
        });
    }

    /** Unit-sized numbers; or a mixture of those with zeros, tiny, large and huge ones of both signs. */
    private static double[] arguments(int count, boolean extreme) {
        double[] x = normal(1, count);
        Random random = new Random(7);
        double[] factors = {0, -0.0, 1e-30, 1e-3, 1, 10, 30, 80, 1000};
        return extreme
                ? Samples.rounded(
                        DType.F32,
                        IntStream.range(0, count)
                                .mapToDouble(i -> x[i] * factors[random.nextInt(factors.length)])
                                .toArray())
                : x;
    }

    @TestFactory
    default Stream<DynamicTest> swiglu() {
        return matrices()
                .flatMap(s -> Stream.of(false, true).flatMap(extreme -> {
                    double[] gate = arguments(s.size(), extreme);
                    double[] up = normal(2, s.size());
                    double[] expected = Elementwise.swiglu(gate, up);
                    return trials(s + (extreme ? " extreme" : ""), t -> {
                        var out = t.output(null, s.n, s.d);
                        t.kernels().swiglu(t.input(gate, s.n, s.d), t.input(up, s.n, s.d), out);
                        t.expectEach(out, expected, UNIT);
                    });
                }));
    }

    @TestFactory
    default Stream<DynamicTest> swigluBackward() {
        return matrices()
                .flatMap(s -> Stream.of(false, true).flatMap(extreme -> {
                    double[] gate = arguments(s.size(), extreme);
                    double[] up = normal(2, s.size());
                    double[] dy = normal(3, s.size());
                    var expected = Elementwise.swigluBackward(gate, up, dy);
                    return trials(s + (extreme ? " extreme" : ""), t -> {
                        var dGate = t.output(null, s.n, s.d);
                        var dUp = t.output(null, s.n, s.d);
                        var dyAndDUp = t.output(dy, s.n, s.d);
                        var gateIn = t.input(gate, s.n, s.d);
                        var upIn = t.input(up, s.n, s.d);
                        t.kernels().swigluBackward(gateIn, upIn, t.input(dy, s.n, s.d), dGate, dUp);
                        t.expectEach(dGate, expected.dGate(), UNIT);
                        t.expectEach(dUp, expected.dUp(), UNIT);
                        t.kernels().swigluBackward(gateIn, upIn, dyAndDUp, dGate, dyAndDUp);
                        t.expectEach(dGate, expected.dGate(), UNIT);
                        t.expectEach(dyAndDUp, expected.dUp(), UNIT);
                    });
                }));
    }

    @TestFactory
    default Stream<DynamicTest> gelu() {
        return matrices()
                .flatMap(s -> IntStream.range(0, 4).boxed().flatMap(i -> {
                    boolean tanh = i / 2 == 1;
                    double[] x = arguments(s.size(), i % 2 == 1);
                    double[] expected = Elementwise.gelu(x, tanh);
                    return trials(s + (tanh ? " tanh" : "") + (i % 2 == 1 ? " extreme" : ""), t -> {
                        var out = t.output(null, s.n, s.d);
                        t.kernels().gelu(t.input(x, s.n, s.d), out, tanh);
                        t.expectEach(out, expected, UNIT);
                    });
                }));
    }

    @TestFactory
    default Stream<DynamicTest> geluBackward() {
        return matrices()
                .flatMap(s -> IntStream.range(0, 4).boxed().flatMap(i -> {
                    boolean tanh = i / 2 == 1;
                    double[] x = arguments(s.size(), i % 2 == 1);
                    double[] dy = normal(2, s.size());
                    double[] initial = s.accumulate() ? normal(3, s.size()) : null;
                    double[] expected = plus(Elementwise.geluBackward(x, dy, tanh), initial);
                    return trials(s + (tanh ? " tanh" : "") + (i % 2 == 1 ? " extreme" : ""), t -> {
                        var out = t.output(initial, s.n, s.d);
                        t.kernels()
                                .geluBackward(t.input(x, s.n, s.d), t.input(dy, s.n, s.d), out, tanh, s.accumulate());
                        t.expectEach(out, expected, UNIT);
                    });
                }));
    }

    @TestFactory
    default Stream<DynamicTest> dropout() {
        return matrices()
                .flatMap(s -> Stream.of(0f, 0.1f, 0.75f).flatMap(probability -> {
                    double[] x = normal(1, s.size());
                    double[] initial = s.accumulate() ? normal(3, s.size()) : null;
                    long seed = 0x9876_5432_1234_5678L * (s.variant + 1);
                    double[] dropped = Elementwise.dropout(x, probability, seed);
                    return trials(s + " p=" + probability, t -> {
                        var out = t.output(initial, s.n, s.d);
                        t.kernels().dropout(t.input(x, s.n, s.d), out, probability, seed, s.accumulate());
                        t.expectEach(out, plus(dropped, initial), 0.1);
                        var inPlace = t.output(x, s.n, s.d);
                        t.kernels().dropout(inPlace, inPlace, probability, seed, s.accumulate());
                        t.expectEach(inPlace, plus(dropped, s.accumulate() ? x : null), 0.1);
                    });
                }));
    }

    @TestFactory
    default Stream<DynamicTest> sumOfSquares() {
        return matrices()
                .flatMap(s -> Stream.of(1.0, 1e25).flatMap(spread -> {
                    double[] x = scaled(normal(1, s.size()), spread);
                    double expected = Elementwise.sumOfSquares(x);
                    return trials(s + " spread=" + spread, t -> {
                        var tensor = t.input(x, s.n, s.d);
                        t.expectNumber(t.kernels().sumOfSquares(List.of(tensor)), expected, 1e-12);
                        t.expectNumber(t.kernels().sumOfSquares(List.of(tensor, tensor)), 2 * expected, 1e-12);
                    });
                }));
    }
}
