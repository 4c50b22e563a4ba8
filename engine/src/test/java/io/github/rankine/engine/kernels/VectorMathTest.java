package io.github.rankine.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import java.util.function.UnaryOperator;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class VectorMathTest {
    private static final int LANES = MicroKernel.LANES;
    private static final float LEAST_NORMAL = Float.MIN_NORMAL;

    /** The floats from {@code low} to {@code high}, evenly spread, filled up to whole vectors. */
    private static float[] between(double low, double high) {
        float[] values = new float[4096 * LANES];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (low + (high - low) * i / (values.length - 1));
        }
        return values;
    }

    private static float[] map(UnaryOperator<FloatVector> function, float... x) {
        float[] out = new float[x.length];
        for (int i = 0; i < x.length; i += LANES) {
            function.apply(FloatVector.fromArray(MicroKernel.SPECIES, x, i)).intoArray(out, i);
        }
        return out;
    }

    private static float map(UnaryOperator<FloatVector> function, float x) {
        float[] repeated = new float[LANES];
        Arrays.fill(repeated, x);
        return map(function, repeated)[LANES - 1];
    }

    private static float exp(float x) {
        return map(VectorMath::exp, x);
    }

    /** The largest error in units of the last place of the true value. */
    private static double worstUlps(float[] x, float[] actual, DoubleUnaryOperator function) {
        double worst = 0;
        for (int i = 0; i < x.length; i++) {
            double expected = function.applyAsDouble(x[i]);
            worst = Math.max(worst, Math.abs(actual[i] - expected) / Math.ulp((float) expected));
        }
        return worst;
    }

    @Test
    void expIsWithinAnUlpWhereTheResultIsNormal() {
        for (float[] x : new float[][] {between(-87.33, 88.72), between(-1, 1), between(-1e-3, 1e-3)}) {
            assertThat(worstUlps(x, map(VectorMath::exp, x), Math::exp)).isLessThan(1.1);
        }
    }

    @Test
    void expUpTo87IsExpWithoutOverflow() {
        for (float[] x : new float[][] {between(-90, 87), between(-1, 1), between(-1e-3, 1e-3)}) {
            assertThat(map(VectorMath::expUpTo87, x)).isEqualTo(map(VectorMath::exp, x));
        }
        for (float x : new float[] {Float.NEGATIVE_INFINITY, -1e30f, -87.337f, -87.3365f, -0f, 0f, 87f}) {
            assertThat(map(VectorMath::expUpTo87, x)).isEqualTo(exp(x));
        }
        for (int nan : new int[] {0x7FC00000, 0x7FC00123, 0xFFC001FF, 0xFFFFFFFF}) {
            assertThat(map(VectorMath::expUpTo87, Float.intBitsToFloat(nan))).isNaN();
        }
    }

    @Test
    void expAtTheEndsOfItsRange() {
        assertThat(exp(88.72283f)).isFinite();
        assertThat(exp(88.72284f)).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(exp(1e30f)).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(exp(Float.POSITIVE_INFINITY)).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(exp(-87.3365f)).isGreaterThanOrEqualTo(LEAST_NORMAL);
        assertThat(exp(-87.337f)).isZero();
        assertThat(exp(-1e30f)).isZero();
        assertThat(exp(Float.NEGATIVE_INFINITY)).isZero();
        assertThat(exp(0f)).isOne();
        assertThat(exp(-0f)).isOne();
        assertThat(exp(Float.NaN)).isNaN();
        assertThat(exp(Float.intBitsToFloat(0x7FC00123))).isNaN();
        assertThat(exp(Float.intBitsToFloat(0xFFFFFFFF))).isNaN();
    }

    @Test
    void sigmoidIsWithinAFewUlps() {
        float[] x = between(-87, 87);
        float[] out = new float[x.length];
        VectorMath.sigmoid(x, out, x.length);
        assertThat(worstUlps(x, out, v -> 1 / (1 + Math.exp(-v)))).isLessThan(3);
    }

    @Test
    void sigmoidSlopeIsWithinAFewUlpsOnBothSides() {
        float[] x = between(-80, 80);
        float[] out = new float[x.length];
        VectorMath.sigmoidSlope(x, out, x.length);
        assertThat(worstUlps(x, out, v -> Math.exp(-Math.abs(v)) / Math.pow(1 + Math.exp(-Math.abs(v)), 2)))
                .isLessThan(4);
    }

    @Test
    void erfIsWithinItsErrorEverywhere() {
        for (float[] x : new float[][] {between(-6, 6), between(-1.01, -0.99), between(0.9, 1.1)}) {
            float[] out = new float[x.length];
            VectorMath.erf(x, out, x.length);
            for (int i = 0; i < x.length; i++) {
                assertThat((double) out[i]).as("erf %s", x[i]).isCloseTo(erf(x[i]), within(1.2e-7));
            }
        }
    }

    @Test
    void erfIsRelativelyCloseNearZeroAndOneFarOut() {
        float[] x = between(-0.01, 0.01);
        float[] out = new float[x.length];
        VectorMath.erf(x, out, x.length);
        assertThat(worstUlps(x, out, VectorMathTest::erf)).isLessThan(2);
        float[] far = new float[LANES];
        far[0] = 50;
        far[1] = Float.NEGATIVE_INFINITY;
        VectorMath.erf(far, far, LANES);
        assertThat(far[0]).isEqualTo(1f);
        assertThat(far[1]).isEqualTo(-1f);
    }

    /** By its series (Abramowitz and Stegun 7.1.6), whose terms are all of one sign. */
    private static double erf(double x) {
        double term = x;
        double sum = x;
        for (int n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
            term *= 2 * x * x / (2 * n + 1);
            sum += term;
        }
        return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
    }

    @Test
    void sumAddsEveryLaneOnce() {
        float[] powers = new float[LANES];
        for (int i = 0; i < LANES; i++) {
            powers[i] = 1 << i;
        }
        assertThat(VectorMath.sum(FloatVector.fromArray(MicroKernel.SPECIES, powers, 0)))
                .isEqualTo((1 << LANES) - 1f);
    }

    @Test
    void sumsOfManyVectorsHaveTheBitsOfTheSumOfEach() {
        float[] vectors = new float[3 + LANES * LANES];
        Random random = new Random(7);
        for (int i = 0; i < vectors.length; i++) {
            vectors[i] = (float) random.nextGaussian();
        }
        float[] expected = new float[LANES];
        for (int i = 0; i < LANES; i++) {
            expected[i] = VectorMath.sum(FloatVector.fromArray(MicroKernel.SPECIES, vectors, 3 + i * LANES));
        }
        float[] sums = new float[2 + LANES];
        VectorMath.sums(vectors, 3, sums, 2);
        assertThat(Arrays.copyOfRange(sums, 2, sums.length)).containsExactly(expected);
    }
}
