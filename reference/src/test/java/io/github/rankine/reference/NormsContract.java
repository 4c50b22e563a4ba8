package io.github.rankine.reference;

import static io.github.rankine.reference.Samples.largest;
import static io.github.rankine.reference.Samples.normal;
import static io.github.rankine.reference.Samples.plus;
import static io.github.rankine.reference.Samples.rounded;
import static io.github.rankine.reference.Samples.size;

import io.github.rankine.engine.tensor.DType;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

interface NormsContract extends KernelsUnderTest {
    /**
     * A matrix of rows {@code center + spread · normal}, with what is learned and accumulated chosen by a number.
     */
    record Norm(int n, int d, double spread, double center, float eps, int variant) {
        double[] x() {
            double[] x = Elementwise.scale(normal(1, n * d), spread);
            return rounded(
                    DType.F32,
                    IntStream.range(0, x.length).mapToDouble(i -> center + x[i]).toArray());
        }

        DType type() {
            return DType.values()[variant % 3];
        }

        double[] weight() {
            return normal(2, d, type());
        }

        double[] bias() {
            return normal(3, d, type());
        }

        double[] dy() {
            return normal(4, n * d);
        }

        /** What {@code dx} holds before. */
        double[] initial() {
            return accumulate() ? normal(5, n * d) : null;
        }

        boolean accumulate() {
            return variant % 2 == 1;
        }

        boolean frozen() {
            return variant / 2 % 2 == 1;
        }

        @Override
        public String toString() {
            return "n=" + n + " d=" + d + " spread=" + spread + " center=" + center + " " + type()
                    + (accumulate() ? " accumulate" : "") + (frozen() ? " frozen" : "");
        }
    }

    static Stream<Norm> norms() {
        Stream<Norm> unit = IntStream.range(0, Samples.SIZES.length)
                .mapToObj(i -> new Norm(size(i, 3), size(i, 7), 1, 0, 1e-5f, i));
        return Stream.concat(
                unit,
                Stream.of(
                        new Norm(130, 1037, 1, 0, 1e-6f, 0),
                        new Norm(130, 1037, 1, 0, 1e-6f, 1),
                        new Norm(17, 96, 1e-3, 0, 1e-6f, 2),
                        new Norm(17, 97, 1000, 0, 1e-6f, 3),
                        new Norm(33, 129, 1, 10, 1e-5f, 4)));
    }

    @TestFactory
    default Stream<DynamicTest> rmsNorm() {
        return norms().flatMap(s -> {
            double[] x = s.x();
            var expected = Norms.rmsNorm(x, s.weight(), s.n, s.eps);
            return trials(s.toString(), t -> {
                var y = t.output(null, s.n, s.d);
                var inverseRms = t.output(null, s.n, 1);
                t.kernels().rmsNorm(t.input(x, s.n, s.d), t.weight(s.type(), s.weight(), 1, s.d), s.eps, y, inverseRms);
                t.expectEach(y, expected.y(), 0.1);
                t.expectEach(inverseRms, expected.inverseRms(), 0);
            });
        });
    }

    @TestFactory
    default Stream<DynamicTest> rmsNormBackward() {
        return norms().flatMap(s -> {
            double[] x = s.x();
            double[] inverseRms =
                    rounded(DType.F32, Norms.rmsNorm(x, s.weight(), s.n, s.eps).inverseRms());
            double[] initial = normal(6, s.d);
            var expected = Norms.rmsNormBackward(x, s.weight(), inverseRms, s.dy(), s.n);
            return trials(s.toString(), t -> {
                var dx = t.output(s.initial(), s.n, s.d);
                var dWeight = s.frozen() ? null : t.output(initial, 1, s.d);
                t.kernels()
                        .rmsNormBackward(
                                t.input(x, s.n, s.d),
                                t.weight(s.type(), s.weight(), 1, s.d),
                                t.input(inverseRms, s.n, 1),
                                t.input(s.dy(), s.n, s.d),
                                dx,
                                s.accumulate(),
                                dWeight);
                t.expect(dx, plus(expected.dx(), s.initial()), largest(inverseRms));
                if (dWeight != null) {
                    t.expect(dWeight, plus(expected.dWeight(), initial), Math.sqrt(s.n));
                }
            });
        });
    }

    @TestFactory
    default Stream<DynamicTest> layerNorm() {
        return norms().flatMap(s -> {
            double[] x = s.x();
            var expected = Norms.layerNorm(x, s.weight(), s.bias(), s.n, s.eps);
            return trials(s.toString(), t -> {
                var y = t.output(null, s.n, s.d);
                var statistics = t.output(null, s.n, 2);
                var weight = t.weight(s.type(), s.weight(), 1, s.d);
                var bias = t.weight(s.type(), s.bias(), 1, s.d);
                t.kernels().layerNorm(t.input(x, s.n, s.d), weight, bias, s.eps, y, statistics);
                t.expectEach(y, expected.y(), 1);
                t.expectEach(statistics, expected.statistics(), 0.1 * s.spread);
            });
        });
    }

    @TestFactory
    default Stream<DynamicTest> layerNormBackward() {
        return norms().flatMap(s -> {
            double[] x = s.x();
            double[] statistics = rounded(
                    DType.F32,
                    Norms.layerNorm(x, s.weight(), s.bias(), s.n, s.eps).statistics());
            double largestInverse = IntStream.range(0, s.n)
                    .mapToDouble(i -> statistics[2 * i + 1])
                    .max()
                    .orElseThrow();
            double[] initialWeight = normal(6, s.d);
            double[] initialBias = normal(7, s.d);
            var expected = Norms.layerNormBackward(x, s.weight(), statistics, s.dy(), s.n);
            return trials(s.toString(), t -> {
                var dx = t.output(s.initial(), s.n, s.d);
                var dWeight = s.frozen() ? null : t.output(initialWeight, 1, s.d);
                var dBias = s.frozen() ? null : t.output(initialBias, 1, s.d);
                t.kernels()
                        .layerNormBackward(
                                t.input(x, s.n, s.d),
                                t.weight(s.type(), s.weight(), 1, s.d),
                                t.input(statistics, s.n, 2),
                                t.input(s.dy(), s.n, s.d),
                                dx,
                                s.accumulate(),
                                dWeight,
                                dBias);
                t.expect(dx, plus(expected.dx(), s.initial()), largestInverse);
                if (!s.frozen()) {
                    t.expect(dWeight, plus(expected.dWeight(), initialWeight), Math.sqrt(s.n));
                    t.expect(dBias, plus(expected.dBias(), initialBias), Math.sqrt(s.n));
                }
            });
        });
    }
}
