package io.github.rankine.reference;

import io.github.rankine.engine.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import java.util.stream.DoubleStream;

/** Numbers for the contract suite, each one exact in the type that the operation under test reads it in. */
final class Samples {
    /** About the sizes of vectors, tiles and blocks, and between them. */
    static final int[] SIZES = {1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 96, 97, 127, 129, 255, 257, 300};

    private Samples() {}

    /** Standard normal float32 numbers. */
    static double[] normal(long seed, int count) {
        return normal(seed, count, DType.F32);
    }

    /** Standard normal numbers of a storage type. */
    static double[] normal(long seed, int count, DType type) {
        SplittableRandom random = new SplittableRandom(seed);
        return rounded(
                type, DoubleStream.generate(random::nextGaussian).limit(count).toArray());
    }

    static double[] rounded(DType type, double[] values) {
        double[] rounded = new double[values.length];
        MemorySegment cell = MemorySegment.ofArray(new byte[4]);
        for (int i = 0; i < values.length; i++) {
            if (type == DType.F32) {
                rounded[i] = (float) values[i];
            } else {
                type.write(cell, 0, (float) values[i]);
                rounded[i] = type.read(cell, 0);
            }
        }
        return rounded;
    }

    /** {@code factor · values}, as float32. */
    static double[] scaled(double[] values, double factor) {
        return rounded(DType.F32, Elementwise.scale(values, factor));
    }

    /** {@code values}, added to what the output held unless that is null. */
    static double[] plus(double[] values, double[] initial) {
        if (initial == null) {
            return values;
        }
        double[] sum = new double[values.length];
        for (int i = 0; i < sum.length; i++) {
            sum[i] = initial[i] + values[i];
        }
        return sum;
    }

    static double largest(double[] values) {
        return DoubleStream.of(values).map(Math::abs).max().orElse(0);
    }

    /** A size that goes through all of {@link #SIZES} with {@code i}, out of step with other {@code stride}s. */
    static int size(int i, int stride) {
        return SIZES[(i * stride + stride) % SIZES.length];
    }
}
