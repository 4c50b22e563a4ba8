package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/** Single elements, vectors and stretches of rows in native memory. Offsets are in bytes. */
final class Elements {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private Elements() {}

    static float get(MemorySegment data, long offset) {
        return data.get(FLOAT, offset);
    }

    static void set(MemorySegment data, long offset, float value) {
        data.set(FLOAT, offset, value);
    }

    static FloatVector load(MemorySegment data, long offset) {
        return FloatVector.fromMemorySegment(SPECIES, data, offset, ByteOrder.nativeOrder());
    }

    static FloatVector load(MemorySegment data, long offset, VectorMask<Float> mask) {
        return FloatVector.fromMemorySegment(SPECIES, data, offset, ByteOrder.nativeOrder(), mask);
    }

    static void store(FloatVector value, MemorySegment data, long offset) {
        value.intoMemorySegment(data, offset, ByteOrder.nativeOrder());
    }

    static void store(FloatVector value, MemorySegment data, long offset, VectorMask<Float> mask) {
        value.intoMemorySegment(data, offset, ByteOrder.nativeOrder(), mask);
    }

    /** The lanes that are left of a row of {@code count} elements from element {@code i}. */
    static VectorMask<Float> tail(int i, int count) {
        return SPECIES.indexInRange(i, count);
    }

    /** {@code out (+)= alpha · in[from …]}. */
    static void writeRow(
            float[] in, int from, int count, MemorySegment out, long offset, float alpha, boolean accumulate) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector value = FloatVector.fromArray(SPECIES, in, from + i).mul(alpha);
            long at = offset + 4L * i;
            store(accumulate ? value.add(load(out, at)) : value, out, at);
        }
        for (; i < count; i++) {
            long at = offset + 4L * i;
            float value = alpha * in[from + i];
            set(out, at, accumulate ? get(out, at) + value : value);
        }
    }
}
