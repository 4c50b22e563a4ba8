package io.github.rankine.reference;

import static io.github.rankine.reference.Samples.normal;
import static io.github.rankine.reference.Samples.plus;
import static io.github.rankine.reference.Samples.size;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.tensor.QuantizedWeight;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.lang.foreign.SegmentAllocator;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

interface ProductsContract extends KernelsUnderTest {
    /** A product's shape, and a number that chooses its factor and whether it accumulates. */
    record Product(int m, int n, int k, int variant) {
        float alpha() {
            return new float[] {1f, -0.75f, 1f, 0.3f}[variant % 4];
        }

        boolean accumulate() {
            return variant % 4 >= 2;
        }

        /** All types, but one is enough for the largest shapes. */
        Stream<DType> types() {
            return (long) m * n * k < 4_000_000 ? Stream.of(DType.values()) : Stream.of(DType.BF16);
        }

        /** What the output holds before. */
        double[] initial() {
            return accumulate() ? normal(3, m * n) : null;
        }

        /** The typical size of a sum of k products of standard normal numbers. */
        double magnitude() {
            return Math.abs(alpha()) * Math.sqrt(k);
        }

        @Override
        public String toString() {
            return "m=" + m + " n=" + n + " k=" + k + " alpha=" + alpha() + (accumulate() ? " accumulate" : "");
        }
    }

    /** All sizes in each place, the few rows of generation, and more than is packed at a time. */
    static List<Product> products() {
        List<Product> products = new ArrayList<>();
        for (int i = 0; i < Samples.SIZES.length; i++) {
            products.add(new Product(size(i, 1), size(i, 3), size(i, 7), i));
        }
        for (int m = 1; m <= 5; m++) {
            for (int i = 0; i < 6; i++) {
                products.add(new Product(m, size(i + m, 7), size(i + m, 3), i + m));
            }
        }
        // Rows of whole blocks, for weights that come in them.
        products.add(new Product(1, 65, 128, 0));
        products.add(new Product(3, 33, 192, 2));
        products.add(new Product(97, 530, 520, 1));
        products.add(new Product(6, 3001, 701, 2));
        products.add(new Product(2, 701, 3001, 3));
        return products;
    }

    @TestFactory
    default Stream<DynamicTest> matmulNT() {
        return products().stream()
                .flatMap(p -> p.types().flatMap(type -> {
                    double[] a = normal(1, p.m * p.k);
                    double[] b = normal(2, p.n * p.k, type);
                    double[] expected = plus(Products.matmulNT(a, b, p.m, p.n, p.k, p.alpha()), p.initial());
                    return trials(p + " " + type, t -> {
                        var c = t.output(p.initial(), p.m, p.n);
                        t.kernels()
                                .matmulNT(
                                        t.input(a, p.m, p.k),
                                        t.weight(type, b, p.n, p.k),
                                        c,
                                        p.alpha(),
                                        p.accumulate());
                        t.expect(c, expected, p.magnitude());
                    });
                }));
    }

    @TestFactory
    default Stream<DynamicTest> oneInputWithSeveralWeights() {
        int k = 96;
        return Stream.of(1, 3, 4, 5, 40)
                .flatMap(m -> Stream.of(DType.values()).flatMap(type -> {
                    double[] a = normal(1, m * k);
                    double[] b = normal(2, 70 * k, type);
                    double[] narrow = normal(3, 5 * k, DType.F32);
                    double[] other = normal(4, 33 * k, type);
                    return trials(m + " " + type, t -> {
                        QuantizedWeight packed = t.quantized(QuantizedType.NF4, 31, k, false);
                        List<Weight> weights = List.of(
                                t.weight(type, b, 70, k),
                                t.weight(DType.F32, narrow, 5, k),
                                packed,
                                t.weight(type, other, 33, k));
                        List<Tensor> results = weights.stream()
                                .map(weight -> t.output(null, m, (int) weight.rows()))
                                .toList();
                        t.kernels().matmulNT(t.input(a, m, k), weights, results);
                        t.expect(results.get(0), Products.matmulNT(a, b, m, 70, k, 1), 1);
                        t.expect(results.get(1), Products.matmulNT(a, narrow, m, 5, k, 1), 1);
                        double[] unpacked = Boundary.read(packed, 31, k);
                        t.expect(results.get(2), Products.matmulNT(a, unpacked, m, 31, k, 1), 1);
                        t.expect(results.get(3), Products.matmulNT(a, other, m, 33, k, 1), 1);
                    });
                }));
    }

    @TestFactory
    default Stream<DynamicTest> productsWithAnUpdate() {
        List<Product> several = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            several.add(new Product(size(i, 2), size(i, 5), size(i, 6), i));
        }
        several.add(new Product(70, 90, 3001, 1));
        several.add(new Product(3, 90, 64, 2));
        several.add(new Product(50, 9, 64, 3));
        return several.stream()
                .flatMap(p -> p.types()
                        .flatMap(type -> Stream.of(1, 8, 33, 300).flatMap(rank -> {
                            double[] a = normal(1, p.m * p.k);
                            double[] b = normal(2, p.n * p.k, type);
                            double[] u = normal(5, p.m * rank);
                            double[] v = normal(4, p.n * rank, DType.F32);
                            double[] forward = sum(
                                    plus(Products.matmulNT(a, b, p.m, p.n, p.k, 1), p.initial()),
                                    Products.matmulNT(u, v, p.m, p.n, rank, 1));
                            double[] backward = sum(
                                    plus(Products.matmulNN(a, b, p.m, p.n, p.k, 1), p.initial()),
                                    Products.matmulNN(u, v, p.m, p.n, rank, 1));
                            double magnitude = Math.sqrt(p.k + rank);
                            return trials(p + " " + type + " rank " + rank, t -> {
                                Tensor x = t.input(a, p.m, p.k);
                                Tensor low = t.input(u, p.m, rank);
                                Tensor y = t.output(p.initial(), p.m, p.n);
                                t.kernels()
                                        .matmulNT(
                                                x,
                                                t.weight(type, b, p.n, p.k),
                                                low,
                                                t.weight(DType.F32, v, p.n, rank),
                                                y,
                                                p.accumulate());
                                t.expect(y, forward, magnitude);
                                Tensor z = t.output(p.initial(), p.m, p.n);
                                t.kernels()
                                        .matmulNN(
                                                x,
                                                t.weight(type, b, p.k, p.n),
                                                low,
                                                t.weight(DType.F32, v, rank, p.n),
                                                z,
                                                p.accumulate());
                                t.expect(z, backward, magnitude);
                            });
                        })));
    }

    private static double[] sum(double[] a, double[] b) {
        double[] sum = a.clone();
        for (int i = 0; i < sum.length; i++) {
            sum[i] += b[i];
        }
        return sum;
    }

    @TestFactory
    default Stream<DynamicTest> matmulNN() {
        return products().stream()
                .flatMap(p -> p.types().flatMap(type -> {
                    double[] a = normal(1, p.m * p.k);
                    double[] b = normal(2, p.k * p.n, type);
                    double[] expected = plus(Products.matmulNN(a, b, p.m, p.n, p.k, p.alpha()), p.initial());
                    return trials(p + " " + type, t -> {
                        var c = t.output(p.initial(), p.m, p.n);
                        t.kernels()
                                .matmulNN(
                                        t.input(a, p.m, p.k),
                                        t.weight(type, b, p.k, p.n),
                                        c,
                                        p.alpha(),
                                        p.accumulate());
                        t.expect(c, expected, p.magnitude());
                    });
                }));
    }

    /** Weights in blocks, whose ends fall anywhere in rows, both ways. */
    @TestFactory
    default Stream<DynamicTest> quantizedWeights() {
        return products().stream()
                .filter(p -> (long) p.m * p.n * p.k < 4_000_000)
                .flatMap(p -> Stream.of(QuantizedType.values()).flatMap(type -> {
                    double[] a = normal(1, p.m * p.k);
                    boolean nested = p.variant % 2 == 0;
                    return trials(p + " " + type + (nested ? " nested" : ""), t -> {
                        QuantizedWeight forward = t.quantized(type, p.n, p.k, nested);
                        double[] b = Boundary.read(forward, p.n, p.k);
                        double magnitude = p.magnitude() * Samples.largest(b);
                        var c = t.output(p.initial(), p.m, p.n);
                        t.kernels().matmulNT(t.input(a, p.m, p.k), forward, c, p.alpha(), p.accumulate());
                        t.expect(c, plus(Products.matmulNT(a, b, p.m, p.n, p.k, p.alpha()), p.initial()), magnitude);
                        QuantizedWeight backward = t.quantized(type, p.k, p.n, nested);
                        b = Boundary.read(backward, p.k, p.n);
                        c = t.output(p.initial(), p.m, p.n);
                        t.kernels().matmulNN(t.input(a, p.m, p.k), backward, c, p.alpha(), p.accumulate());
                        t.expect(c, plus(Products.matmulNN(a, b, p.m, p.n, p.k, p.alpha()), p.initial()), magnitude);
                    });
                }));
    }

    @TestFactory
    default Stream<DynamicTest> matmulTN() {
        return products().stream().flatMap(p -> {
            double[] a = normal(1, p.k * p.m);
            double[] b = normal(2, p.k * p.n);
            double[] expected = plus(Products.matmulTN(a, b, p.m, p.n, p.k, p.alpha()), p.initial());
            return trials(p.toString(), t -> {
                var c = t.output(p.initial(), p.m, p.n);
                t.kernels().matmulTN(t.input(a, p.k, p.m), t.input(b, p.k, p.n), c, p.alpha(), p.accumulate());
                t.expect(c, expected, p.magnitude());
            });
        });
    }

    /** Subnormal, huge and infinite values of every type reach the product as they are. */
    @TestFactory
    default Stream<DynamicTest> extremeWeights() {
        double[] extremes = {6e-8, -6e-8, 3e-5, -65504, 65504, 0, -0.0, 1, -1, Double.POSITIVE_INFINITY};
        return Stream.of(DType.values())
                .flatMap(type -> Stream.of(1, 40).flatMap(m -> {
                    int n = 37;
                    double[] b = new double[n];
                    for (int i = 0; i < n; i++) {
                        b[i] = extremes[i % extremes.length];
                    }
                    double[] stored = Samples.rounded(type, b);
                    double[] ones = new double[m];
                    Arrays.fill(ones, 1);
                    double[] expected = new double[m * n];
                    for (int i = 0; i < m * n; i++) {
                        expected[i] = stored[i % n];
                    }
                    return trials("m=" + m + " " + type, t -> {
                        var c = t.output(null, m, n);
                        t.kernels().matmulNN(t.input(ones, m, 1), t.weight(type, stored, 1, n), c, 1f, false);
                        t.expectExactly(c, expected);
                    });
                }));
    }

    /** What is trained is a weight of the next product: kernels that copied it must not read what it was. */
    @TestFactory
    default Stream<DynamicTest> weightsThatKernelsChange() {
        double[] a = normal(1, 6);
        double[] b = normal(2, 12);
        return trials("a weight scaled in place", t -> {
            var weight = t.output(b, 1, 12);
            var c = t.output(null, 2, 4);
            DenseWeight read = new DenseWeight(DType.F32, 4, 3, weight.segment());
            t.kernels().matmulNT(t.input(a, 2, 3), read, c, 1f, false);
            t.expect(c, Products.matmulNT(a, b, 2, 4, 3, 1), 1);
            t.kernels().scale(weight, 2f, weight);
            t.expectExactly(weight, Elementwise.scale(b, 2));
            t.kernels().matmulNT(t.input(a, 2, 3), read, c, 1f, false);
            t.expect(c, Products.matmulNT(a, b, 2, 4, 3, 2), 1);
        });
    }

    @Test
    default void productsRefuseShapesThatDoNotFit() {
        Trial t = new Trial(
                kernels().getFirst(), SegmentAllocator.slicingAllocator(slab()), Arena.global(), Trial.Layout.ALIGNED);
        var a = t.input(normal(1, 6), 2, 3);
        var square = t.output(null, 2, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> t.kernels().matmulNT(a, t.weight(DType.F32, normal(2, 8), 2, 4), square, 1f, false));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> t.kernels().matmulNN(a, t.weight(DType.F32, normal(2, 8), 4, 2), square, 1f, false));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> t.kernels().matmulTN(a, t.input(normal(2, 4), 2, 2), square, 1f, false));
    }
}
