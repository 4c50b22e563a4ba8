package io.github.rankine.engine.kernels;

import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.tensor.QuantizedWeight;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** Widens quantised elements to float32, block by block. */
final class Dequantization {
    private static final VectorSpecies<Float> FLOATS = MicroKernel.SPECIES;
    private static final VectorSpecies<Integer> INTS = FLOATS.withLanes(int.class);
    private static final int LANES = FLOATS.length();

    /** Vectors of fewer lanes than this hold too little of NF4's table, and no shape has bytes for them. */
    static final boolean VECTORS = LANES == 8 || LANES == 16;

    private static final VectorSpecies<Byte> BYTES =
            VectorSpecies.of(byte.class, VECTORS ? VectorShape.forBitSize(8 * LANES) : VectorShape.S_64_BIT);

    private static final ValueLayout.OfInt WORD = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Where the eight codes of a word lie: the first of a byte's two in its upper half. */
    private static final int[] CODE_SHIFTS = {4, 0, 12, 8, 20, 16, 28, 24};

    private static final IntVector SHIFTS = ints(lane -> CODE_SHIFTS[lane % 8]);
    private static final VectorMask<Integer> SECOND_WORD = VectorMask.fromLong(INTS, LANES == 16 ? 0xFF00 : 0);
    private static final float[] NF4 = QuantizedType.nf4Values();

    /** The table's bits, in one vector of sixteen lanes or in two of eight. */
    private static final IntVector NF4_FIRST = ints(lane -> Float.floatToRawIntBits(NF4[lane % 16]));

    private static final IntVector NF4_SECOND = ints(lane -> Float.floatToRawIntBits(NF4[(lane + 8) % 16]));

    private Dequantization() {}

    private interface Lane {
        int value(int lane);
    }

    private static IntVector ints(Lane lanes) {
        int[] values = new int[LANES];
        for (int lane = 0; lane < LANES; lane++) {
            values[lane] = lanes.value(lane);
        }
        return IntVector.fromArray(INTS, values, 0);
    }

    /** Writes {@code count} elements from element {@code index} on. */
    static void run(QuantizedWeight weight, long index, float[] out, int offset, int count) {
        int blockSize = weight.blockSize();
        long block = index / blockSize;
        int left = (int) ((block + 1) * blockSize - index);
        for (int done = 0; done < count; block++) {
            int here = Math.min(left, count - done);
            float scale = weight.scales().at(block);
            switch (weight.type()) {
                case NF4 -> nf4(weight.codes(), index + done, scale, out, offset + done, here);
                case INT8 -> int8(weight.codes(), index + done, scale, out, offset + done, here);
            }
            done += here;
            left = blockSize;
        }
    }

    private static void nf4(MemorySegment codes, long index, float scale, float[] out, int offset, int count) {
        int i = 0;
        if (VECTORS && (index & 1) == 0) {
            for (; i <= count - LANES; i += LANES) {
                nf4Vector(codes, (index + i) >> 1).mul(scale).intoArray(out, offset + i);
            }
        }
        for (; i < count; i++) {
            out[offset + i] = QuantizedType.NF4.value(codes, index + i) * scale;
        }
    }

    /** The values of LANES codes from byte {@code at} on. */
    private static FloatVector nf4Vector(MemorySegment codes, long at) {
        IntVector words = IntVector.broadcast(INTS, codes.get(WORD, at));
        if (LANES == 16) {
            words = words.blend(codes.get(WORD, at + 4), SECOND_WORD);
        }
        return nf4(words.lanewise(VectorOperators.LSHR, SHIFTS).and(15));
    }

    /** LANES bytes from byte {@code at} on, without a sign. */
    static IntVector bytes(MemorySegment codes, long at) {
        return (IntVector) ByteVector.fromMemorySegment(BYTES, codes, at, ByteOrder.LITTLE_ENDIAN)
                .convertShape(VectorOperators.ZERO_EXTEND_B2I, INTS, 0);
    }

    /** The values of codes. */
    static FloatVector nf4(IntVector code) {
        if (LANES == 16) {
            return code.selectFrom(NF4_FIRST).reinterpretAsFloats();
        }
        IntVector within = code.and(7);
        return within.selectFrom(NF4_FIRST)
                .blend(within.selectFrom(NF4_SECOND), code.compare(VectorOperators.GT, 7))
                .reinterpretAsFloats();
    }

    /** The values of LANES codes from byte {@code at} on. */
    static FloatVector int8Vector(MemorySegment codes, long at) {
        return (FloatVector) ByteVector.fromMemorySegment(BYTES, codes, at, ByteOrder.LITTLE_ENDIAN)
                .convertShape(VectorOperators.B2F, FLOATS, 0);
    }

    private static void int8(MemorySegment codes, long index, float scale, float[] out, int offset, int count) {
        int i = 0;
        if (VECTORS) {
            for (; i <= count - LANES; i += LANES) {
                int8Vector(codes, index + i).mul(scale).intoArray(out, offset + i);
            }
        }
        for (; i < count; i++) {
            out[offset + i] = codes.get(ValueLayout.JAVA_BYTE, index + i) * scale;
        }
    }
}
