package io.github.rankine.engine.kernels;

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
 */
final class VectorMath {
    private static final float LOG2_E = 1.44269504f;
    /** ln 2 in two parts; the first has so few bits that its product with an exponent is exact. */
    private static final float LN2_HIGH = 0.693145752f;

    private static final float LN2_LOW = 1.42860677e-6f;
    /** Added to a small number, leaves its nearest integer in the low bits: 1.5 · 2²³. */
    private static final float ROUND = 12582912f;

    private static final int ROUND_BITS = Float.floatToRawIntBits(ROUND);
    /** Beyond these eˣ is infinite, or less than half the least float. */
    private static final float EXP_MAX = 88.72284f;

    private static final float EXP_MIN = -103.97208f;

    private static final float ERF_SWITCH = 1f;
    /** From here on erf rounds to 1. */
    private static final float ERF_MAX = 4f;

    private static final float TANH_SWITCH = 0.625f;

    private static final VectorShuffle<Float> FOLD_8 = fold(8);
    private static final VectorShuffle<Float> FOLD_4 = fold(4);
    private static final VectorShuffle<Float> FOLD_2 = fold(2);
    private static final VectorShuffle<Float> FOLD_1 = fold(1);

    private VectorMath() {}

    private static VectorShuffle<Float> fold(int distance) {
        return VectorShuffle.fromOp(SPECIES, i -> i ^ distance & (LANES - 1));
    }

    /**
     * The sum of the lanes, by halves. {@code reduceLanes} adds in an order of its own that is another one in compiled than in
     * interpreted code, and results would depend on when the compiler came by.
     */
    static float sum(FloatVector v) {
        FloatVector sum = v;
        if (LANES > 8) {
            sum = sum.add(sum.rearrange(FOLD_8));
        }
        if (LANES > 4) {
            sum = sum.add(sum.rearrange(FOLD_4));
        }
        if (LANES > 2) {
            sum = sum.add(sum.rearrange(FOLD_2));
        }
        return sum.add(sum.rearrange(FOLD_1)).lane(0);
    }

    /** The larger of each pair of lanes; where {@code b} is NaN, {@code a}. Cheaper than {@code max}, which orders NaN and −0. */
    static FloatVector larger(FloatVector a, FloatVector b) {
        return a.blend(b, b.compare(VectorOperators.GT, a));
    }

    /** eˣ within 1 ulp, with infinities, denormal results and NaN as {@link Math#exp} has them. */
    static FloatVector exp(FloatVector x) {
        FloatVector rounded = x.fma(broadcast(LOG2_E), broadcast(ROUND));
        FloatVector n = rounded.sub(ROUND);
        FloatVector r = n.fma(broadcast(-LN2_LOW), n.fma(broadcast(-LN2_HIGH), x));
        FloatVector p = r.fma(broadcast(0.00138131448f), broadcast(0.00836941879f));
        p = p.fma(r, broadcast(0.041668456f));
        p = p.fma(r, broadcast(0.166665152f));
        p = p.fma(r, broadcast(0.49999994f));
        p = p.fma(r.mul(r), r).add(1f);
        // 2ⁿ in two factors: n goes beyond the exponents of normal floats on both sides.
        IntVector exponent = rounded.reinterpretAsInts().sub(ROUND_BITS);
        IntVector half = exponent.lanewise(VectorOperators.ASHR, 1);
        p = p.mul(powerOfTwo(half)).mul(powerOfTwo(exponent.sub(half)));
        return p.blend(Float.POSITIVE_INFINITY, x.compare(VectorOperators.GT, EXP_MAX))
                .blend(0f, x.compare(VectorOperators.LT, EXP_MIN));
    }

    private static FloatVector powerOfTwo(IntVector exponent) {
        return exponent.add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
    }

    /** 1 / (1 + e⁻ˣ). */
    static FloatVector sigmoid(FloatVector x) {
        return broadcast(1f).div(exp(x.neg()).add(1f));
    }

    /** tanh x within 2 ulp. */
    static FloatVector tanh(FloatVector x) {
        FloatVector magnitude = x.abs();
        FloatVector square = x.mul(x);
        FloatVector p = square.fma(broadcast(-0.00571704563f), broadcast(0.020650588f));
        p = p.fma(square, broadcast(-0.0537434965f));
        p = p.fma(square, broadcast(0.133314908f));
        p = p.fma(square, broadcast(-0.333332837f));
        FloatVector small = p.mul(square).fma(x, x);
        FloatVector large = broadcast(1f)
                .sub(broadcast(2f).div(exp(magnitude.add(magnitude)).add(1f)));
        return withSign(large, x).blend(small, magnitude.compare(VectorOperators.LT, TANH_SWITCH));
    }

    /** erf x within 1.2e-7 of the true value, and relatively as close near 0. */
    static FloatVector erf(FloatVector x) {
        FloatVector magnitude = x.abs();
        FloatVector square = x.mul(x);
        FloatVector p = square.fma(broadcast(7.64712022e-05f), broadcast(-0.000794235733f));
        p = p.fma(square, broadcast(0.0051797498f));
        p = p.fma(square, broadcast(-0.0268485919f));
        p = p.fma(square, broadcast(0.112834305f));
        p = p.fma(square, broadcast(-0.376126051f));
        p = p.fma(square, broadcast(0.128379151f));
        FloatVector small = p.fma(x, x);
        // Above the switch: the negated logarithm of 1 − erf is nearly a parabola.
        FloatVector t = magnitude.blend(ERF_MAX, magnitude.compare(VectorOperators.GT, ERF_MAX));
        FloatVector q = t.fma(broadcast(-0.000185574027f), broadcast(0.00293960748f));
        q = q.fma(t, broadcast(-0.0218053181f));
        q = q.fma(t, broadcast(0.103037372f));
        q = q.fma(t, broadcast(0.638225675f));
        q = q.fma(t, broadcast(1.12704003f));
        q = q.fma(t, broadcast(0.000353719312f));
        FloatVector large = broadcast(1f).sub(exp(q.neg()));
        return withSign(large, x).blend(small, magnitude.compare(VectorOperators.LT, ERF_SWITCH));
    }

    private static FloatVector withSign(FloatVector magnitude, FloatVector sign) {
        VectorMask<Float> negative = sign.compare(VectorOperators.LT, 0f);
        return magnitude.lanewise(VectorOperators.NEG, negative);
    }

    private static FloatVector broadcast(float value) {
        return FloatVector.broadcast(SPECIES, value);
    }
}
