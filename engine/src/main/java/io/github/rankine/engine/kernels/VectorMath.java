package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.Lanes.SWAP_1;
import static io.github.rankine.engine.kernels.Lanes.SWAP_2;
import static io.github.rankine.engine.kernels.Lanes.SWAP_4;
import static io.github.rankine.engine.kernels.Lanes.SWAP_8;
import static io.github.rankine.engine.kernels.Lanes.UPPER_1;
import static io.github.rankine.engine.kernels.Lanes.UPPER_2;
import static io.github.rankine.engine.kernels.Lanes.UPPER_4;
import static io.github.rankine.engine.kernels.Lanes.UPPER_8;
import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;

/**
 * Functions of whole vectors. The Vector API's own call a native library where there is one and a scalar loop elsewhere;
 * these give the same bits everywhere. Polynomials are minimax fits by Lawson's algorithm to the functions in high precision.
 *
 * <p>C2 inlines up to a number of nodes in a method and then lets vectors be objects, some hundred times slower. So constants are
 * vectors made once (a broadcast costs as many nodes as a sum), and loops have little in them. It also must know which class of vectors a
 * method is called on: it does where that vector was just loaded or computed, but of what a loop carries along it has only what was
 * observed, and not always that. So a sum is {@code fresh.add(sum)}, not {@code sum.add(fresh)}.
 */
final class VectorMath {
    private static final FloatVector ZERO = FloatVector.zero(SPECIES);
    private static final FloatVector ONE = constant(1f);
    private static final IntVector ONE_BITS = ONE.reinterpretAsInts();
    private static final FloatVector INFINITY = constant(Float.POSITIVE_INFINITY);

    private static final FloatVector LOG2_E = constant(1.44269504f);
    /** −ln 2 in two parts; the first has so few bits that its product with an exponent is exact. */
    private static final FloatVector MINUS_LN2_HIGH = constant(-0.693145752f);

    private static final FloatVector MINUS_LN2_LOW = constant(-1.42860677e-6f);
    /** Added to a small number, leaves its nearest integer in the low bits: 1.5 · 2²³. */
    private static final FloatVector ROUND = constant(12582912f);
    /** Beyond these eˣ is infinite, or less than the least normal float. */
    private static final FloatVector EXP_MAX = constant(88.72283f);

    private static final FloatVector EXP_MIN = constant(-87.33654f);
    /** eʳ = 1 + r + r² · P(r) for |r| ≤ ln 2 / 2. */
    private static final FloatVector EXP_4 = constant(0.00138131448f);

    private static final FloatVector EXP_3 = constant(0.00836941879f);
    private static final FloatVector EXP_2 = constant(0.041668456f);
    private static final FloatVector EXP_1 = constant(0.166665152f);
    private static final FloatVector EXP_0 = constant(0.49999994f);

    /** erf x = x + x · P(x²) below the switch. */
    private static final FloatVector ERF_SWITCH = ONE;

    private static final FloatVector ERF_6 = constant(7.64712022e-05f);
    private static final FloatVector ERF_5 = constant(-0.000794235733f);
    private static final FloatVector ERF_4 = constant(0.0051797498f);
    private static final FloatVector ERF_3 = constant(-0.0268485919f);
    private static final FloatVector ERF_2 = constant(0.112834305f);
    private static final FloatVector ERF_1 = constant(-0.376126051f);
    private static final FloatVector ERF_0 = constant(0.128379151f);
    /** ln(1 − erf x) = P(x) above it, nearly a parabola; from the maximum on erf rounds to 1. */
    private static final FloatVector ERF_MAX = constant(4f);

    private static final FloatVector ERFC_6 = constant(0.000185574027f);
    private static final FloatVector ERFC_5 = constant(-0.00293960748f);
    private static final FloatVector ERFC_4 = constant(0.0218053181f);
    private static final FloatVector ERFC_3 = constant(-0.103037372f);
    private static final FloatVector ERFC_2 = constant(-0.638225675f);
    private static final FloatVector ERFC_1 = constant(-1.12704003f);
    private static final FloatVector ERFC_0 = constant(-0.000353719312f);

    private VectorMath() {}

    private static FloatVector constant(float value) {
        return FloatVector.broadcast(SPECIES, value);
    }

    /**
     * The sum of the lanes, by halves. {@code reduceLanes} adds in an order of its own that is another one in compiled than in
     * interpreted code, and results would depend on when the compiler came by.
     */
    static float sum(FloatVector v) {
        FloatVector sum = v;
        if (LANES > 8) {
            sum = sum.add(sum.rearrange(SWAP_8));
        }
        if (LANES > 4) {
            sum = sum.add(sum.rearrange(SWAP_4));
        }
        if (LANES > 2) {
            sum = sum.add(sum.rearrange(SWAP_2));
        }
        return sum.add(sum.rearrange(SWAP_1)).lane(0);
    }

    /**
     * {@link #sum} of LANES vectors, which lie one after another from {@code at} and are overwritten, as a vector at {@code to}: one
     * rearrangement for each of them instead of one for each halving. What two halvings give stays in registers, for an array's vectors lie
     * across two cache lines each.
     */
    static void sums(float[] vectors, int at, float[] out, int to) {
        if (LANES == 16) {
            for (int i = at; i < at + 4 * LANES; i += LANES) {
                FloatVector even = folded(vector(vectors, i), vector(vectors, i + 8 * LANES), UPPER_8, SWAP_8);
                FloatVector odd =
                        folded(vector(vectors, i + 4 * LANES), vector(vectors, i + 12 * LANES), UPPER_8, SWAP_8);
                folded(even, odd, UPPER_4, SWAP_4).intoArray(vectors, i);
            }
        } else if (LANES == 8) {
            for (int i = at; i < at + 4 * LANES; i += LANES) {
                folded(vector(vectors, i), vector(vectors, i + 4 * LANES), UPPER_4, SWAP_4)
                        .intoArray(vectors, i);
            }
        }
        FloatVector even = vector(vectors, at);
        FloatVector odd = vector(vectors, at + LANES);
        if (LANES > 2) {
            even = folded(even, vector(vectors, at + 2 * LANES), UPPER_2, SWAP_2);
            odd = folded(odd, vector(vectors, at + 3 * LANES), UPPER_2, SWAP_2);
        }
        folded(even, odd, UPPER_1, SWAP_1).intoArray(out, to);
    }

    private static FloatVector vector(float[] vectors, int at) {
        return FloatVector.fromArray(SPECIES, vectors, at);
    }

    /** Adds the halves of two vectors, the first one's into the lower lanes and the second one's into the upper. */
    private static FloatVector folded(
            FloatVector a, FloatVector b, VectorMask<Float> upper, VectorShuffle<Float> swap) {
        return a.blend(b, upper).add(b.blend(a, upper).rearrange(swap));
    }

    /**
     * The larger of each pair of lanes; where either is NaN, {@code b}. Cheaper than {@code max}, which orders NaN and −0. Between what a
     * loop has so far and something fresh, {@code b} is the latter (see the class).
     */
    static FloatVector larger(FloatVector a, FloatVector b) {
        return b.blend(a, b.compare(VectorOperators.LE, a));
    }

    /** The largest lane, the same in any order; NaN if one is. */
    static float largest(FloatVector v) {
        return v.reduceLanes(VectorOperators.MAX);
    }

    /** eˣ within 1 ulp. What would be denormal is 0; overflow is infinite, and NaN stays NaN. */
    static FloatVector exp(FloatVector x) {
        FloatVector rounded = x.fma(LOG2_E, ROUND);
        // n is in the low bits of rounded, and the factor's exponent has room for it.
        FloatVector scaled = expOfRest(x, rounded)
                .reinterpretAsInts()
                .add(rounded.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
                .reinterpretAsFloats();
        return x.mul(INFINITY)
                .blend(scaled, x.compare(VectorOperators.LE, EXP_MAX))
                .blend(ZERO, x.compare(VectorOperators.LT, EXP_MIN));
    }

    /** {@link #exp} of numbers up to 87, such as differences from the largest one: with fewer steps, for nothing overflows. */
    static FloatVector expUpTo87(FloatVector x) {
        FloatVector rounded = x.fma(LOG2_E, ROUND);
        FloatVector power = rounded.reinterpretAsInts()
                .lanewise(VectorOperators.LSHL, 23)
                .add(ONE_BITS)
                .reinterpretAsFloats();
        return expOfRest(x, rounded).mul(power).blend(ZERO, x.compare(VectorOperators.LT, EXP_MIN));
    }

    /** {@code e^(x − n ln 2)}, where {@code rounded} is {@code x / ln 2} plus ROUND, and n its nearest integer: eˣ is that times 2ⁿ. */
    private static FloatVector expOfRest(FloatVector x, FloatVector rounded) {
        FloatVector n = rounded.sub(ROUND);
        FloatVector r = n.fma(MINUS_LN2_LOW, n.fma(MINUS_LN2_HIGH, x));
        FloatVector p = r.fma(EXP_4, EXP_3).fma(r, EXP_2).fma(r, EXP_1).fma(r, EXP_0);
        return p.fma(r.mul(r), r).add(ONE);
    }

    /** {@code out[i] = 1 / (1 + e^−x[i])} for {@code i} below {@code count} rounded up to whole vectors. */
    static void sigmoid(float[] x, float[] out, int count) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector e = exp(FloatVector.fromArray(SPECIES, x, i).neg());
            ONE.div(e.add(ONE)).intoArray(out, i);
        }
    }

    /**
     * The sigmoid's slope, {@code out[i] = σ(x[i]) · σ(−x[i])}, for {@code i} below {@code count} rounded up to whole vectors: without
     * the difference from 1 that would lose what is small.
     */
    static void sigmoidSlope(float[] x, float[] out, int count) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector e = expUpTo87(FloatVector.fromArray(SPECIES, x, i).abs().neg());
            FloatVector d = e.add(ONE);
            e.div(d.mul(d)).intoArray(out, i);
        }
    }

    /**
     * {@code out[i] = erf x[i]} within 1.2e-7, and relatively as close near 0, for {@code i} below {@code count} rounded up to whole
     * vectors.
     */
    static void erf(float[] x, float[] out, int count) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, i);
            FloatVector square = v.mul(v);
            FloatVector p = square.fma(ERF_6, ERF_5).fma(square, ERF_4).fma(square, ERF_3);
            p = p.fma(square, ERF_2).fma(square, ERF_1).fma(square, ERF_0);
            FloatVector small = p.fma(v, v);
            FloatVector t = v.abs();
            t = t.blend(ERF_MAX, t.compare(VectorOperators.GT, ERF_MAX));
            FloatVector q = t.fma(ERFC_6, ERFC_5).fma(t, ERFC_4).fma(t, ERFC_3);
            q = q.fma(t, ERFC_2).fma(t, ERFC_1).fma(t, ERFC_0);
            FloatVector large = ONE.sub(expUpTo87(q));
            large = large.blend(large.neg(), v.compare(VectorOperators.LT, ZERO));
            large.blend(small, t.compare(VectorOperators.LT, ERF_SWITCH)).intoArray(out, i);
        }
    }
}
