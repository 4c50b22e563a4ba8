package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/**
 * Single elements, vectors and stretches of rows in native memory. Offsets are in bytes. What is left of a row after its whole
 * vectors is done by element: masked accesses to segments are not reliably compiled.
 */
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

    static void store(FloatVector value, MemorySegment data, long offset) {
        value.intoMemorySegment(data, offset, ByteOrder.nativeOrder());
    }

    /** {@code out = in[from …]}. */
    static void copyRow(float[] in, int from, int count, MemorySegment out, long offset) {
        MemorySegment.copy(in, from, out, FLOAT, offset, count);
    }

    /** {@code out (+)= alpha · in[from …]}. */
    static void writeRow(
            float[] in, int from, int count, MemorySegment out, long offset, float alpha, boolean accumulate) {
        if (accumulate) {
            addRow(in, from, count, out, offset, alpha);
        } else {
            setRow(in, from, count, out, offset, alpha);
        }
    }

    private static void setRow(float[] in, int from, int count, MemorySegment out, long offset, float alpha) {
        FloatVector factor = FloatVector.broadcast(SPECIES, alpha);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            store(FloatVector.fromArray(SPECIES, in, from + i).mul(factor), out, offset + 4L * i);
        }
        for (; i < count; i++) {
            set(out, offset + 4L * i, alpha * in[from + i]);
        }
    }

    private static void addRow(float[] in, int from, int count, MemorySegment out, long offset, float alpha) {
        FloatVector factor = FloatVector.broadcast(SPECIES, alpha);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            long at = offset + 4L * i;
            store(FloatVector.fromArray(SPECIES, in, from + i).mul(factor).add(load(out, at)), out, at);
        }
        for (; i < count; i++) {
            long at = offset + 4L * i;
            set(out, at, get(out, at) + alpha * in[from + i]);
        }
    }
}
