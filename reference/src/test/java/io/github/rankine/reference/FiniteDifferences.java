package io.github.rankine.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import java.util.function.Supplier;
import java.util.stream.DoubleStream;

/** Compares gradients with central differences, in double precision. */
final class FiniteDifferences {
    /** Balances the truncation error, of order h², and the rounding error, of order 1e-16 / h. */
    private static final double STEP = 1e-5;

    private static final double TOLERANCE = 1e-7;

    private FiniteDifferences() {}

    /**
     * Asserts that {@code gradient} is that of {@code Σ weights · output()} with respect to {@code x}, which is an array
     * that {@code output} reads: each element within 1e-7 of the gradient's largest one, or of 1.
     */
    static void check(double[] x, Supplier<double[]> output, double[] weights, double[] gradient) {
        assertThat(gradient).hasSameSizeAs(x);
        double largest = DoubleStream.of(gradient).map(Math::abs).max().orElseThrow();
        assertThat(largest).as("a gradient that is zero would show nothing").isPositive();
        for (int i = 0; i < x.length; i++) {
            double at = x[i];
            x[i] = at + STEP;
            double above = weightedSum(weights, output.get());
            x[i] = at - STEP;
            double below = weightedSum(weights, output.get());
            x[i] = at;
            assertThat(gradient[i])
                    .as("element %d", i)
                    .isCloseTo((above - below) / (2 * STEP), within(TOLERANCE * Math.max(1, largest)));
        }
    }

    private static double weightedSum(double[] weights, double[] values) {
        assertThat(values).hasSameSizeAs(weights);
        double sum = 0;
        for (int i = 0; i < values.length; i++) {
            sum += weights[i] * values[i];
        }
        return sum;
    }

    /** Standard normal numbers. */
    static double[] normal(long seed, int count) {
        Random random = new Random(seed);
        return DoubleStream.generate(random::nextGaussian).limit(count).toArray();
    }
}
