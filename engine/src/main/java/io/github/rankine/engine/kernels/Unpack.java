package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.NR;

import io.github.rankine.engine.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** Widens stored elements to float32, a stretch of one row at a time. */
final class Unpack {
    private static final VectorSpecies<Float> FLOATS = MicroKernel.SPECIES;
    private static final VectorSpecies<Integer> INTS = FLOATS.withLanes(int.class);
    private static final VectorSpecies<Short> HALVES =
            VectorSpecies.of(short.class, VectorShape.forBitSize(FLOATS.vectorBitSize() / 2));
    private static final int LANES = FLOATS.length();

    private Unpack() {}

    /** Copies {@code count} elements from element {@code index} of {@code data} to {@code out}. */
    static void row(DType type, MemorySegment data, long index, float[] out, int offset, int count) {
        switch (type) {
            case F32 -> MemorySegment.copy(data, ValueLayout.JAVA_FLOAT_UNALIGNED, 4 * index, out, offset, count);
            case BF16 -> bf16(data, index, out, offset, count);
            case F16 -> f16(data, index, out, offset, count);
        }
    }

    /** A panel {@code out[depth, NR]} of rows {@code stride} elements apart, from element {@code index}. */
    static void panel(DType type, MemorySegment data, long index, long stride, int depth, float[] out, int offset) {
        switch (type) {
            case F32 -> panelF32(data, index, stride, depth, out, offset);
            case BF16 -> panelBf16(data, index, stride, depth, out, offset);
            case F16 -> {
                for (int d = 0; d < depth; d++) {
                    f16(data, index + d * stride, out, offset + d * NR, NR);
                }
            }
        }
    }

    private static void panelF32(MemorySegment data, long index, long stride, int depth, float[] out, int offset) {
        for (int d = 0; d < depth; d++) {
            long at = 4 * (index + d * stride);
            floats(data, at).intoArray(out, offset + d * NR);
            floats(data, at + 4L * LANES).intoArray(out, offset + d * NR + LANES);
        }
    }

    private static void panelBf16(MemorySegment data, long index, long stride, int depth, float[] out, int offset) {
        for (int d = 0; d < depth; d++) {
            long at = 2 * (index + d * stride);
            bf16s(data, at).intoArray(out, offset + d * NR);
            bf16s(data, at + 2L * LANES).intoArray(out, offset + d * NR + LANES);
        }
    }

    private static void bf16(MemorySegment data, long index, float[] out, int offset, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            bf16s(data, 2 * (index + i)).intoArray(out, offset + i);
        }
        for (; i < count; i++) {
            out[offset + i] = DType.BF16.read(data, index + i);
        }
    }

    private static void f16(MemorySegment data, long index, float[] out, int offset, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            f16s(data, 2 * (index + i)).intoArray(out, offset + i);
        }
        for (; i < count; i++) {
            out[offset + i] = DType.F16.read(data, index + i);
        }
    }

    private static IntVector words(MemorySegment data, long byteOffset) {
        return (IntVector) ShortVector.fromMemorySegment(HALVES, data, byteOffset, ByteOrder.LITTLE_ENDIAN)
                .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
    }

    static FloatVector floats(MemorySegment data, long byteOffset) {
        return FloatVector.fromMemorySegment(FLOATS, data, byteOffset, ByteOrder.LITTLE_ENDIAN);
    }

    static FloatVector bf16s(MemorySegment data, long byteOffset) {
        return words(data, byteOffset).lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
    }

    /**
     * The exponent and fraction moved into binary32's place are the value times 2⁻¹¹²: one product mends the exponent's
     * bias and normalises what was denormal. Infinity and NaN keep a full exponent.
     */
    private static FloatVector f16s(MemorySegment data, long byteOffset) {
        IntVector bits = words(data, byteOffset);
        IntVector sign = bits.and(0x8000).lanewise(VectorOperators.LSHL, 16);
        IntVector magnitude = bits.and(0x7FFF).lanewise(VectorOperators.LSHL, 13);
        VectorMask<Integer> special = bits.and(0x7C00).eq(0x7C00);
        IntVector scaled = magnitude.reinterpretAsFloats().mul(0x1p112f).reinterpretAsInts();
        return scaled.blend(magnitude.or(0x7F800000), special).or(sign).reinterpretAsFloats();
    }
}
