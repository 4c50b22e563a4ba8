package io.github.rankine.engine.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** How one element of a {@link DenseWeight} is stored. Files are little-endian and need not be aligned. */
public enum DType {
    /** IEEE 754 binary32. */
    F32(4) {
        @Override
        public float read(MemorySegment data, long index) {
            return data.get(FLOAT, 4 * index);
        }

        @Override
        public void write(MemorySegment data, long index, float value) {
            data.set(FLOAT, 4 * index, value);
        }
    },
    /** bfloat16: the upper half of a binary32. */
    BF16(2) {
        @Override
        public float read(MemorySegment data, long index) {
            return Float.intBitsToFloat(data.get(SHORT, 2 * index) << 16);
        }

        @Override
        public void write(MemorySegment data, long index, float value) {
            data.set(SHORT, 2 * index, toBf16(value));
        }
    },
    /** IEEE 754 binary16. */
    F16(2) {
        @Override
        public float read(MemorySegment data, long index) {
            return Float.float16ToFloat(data.get(SHORT, 2 * index));
        }

        @Override
        public void write(MemorySegment data, long index, float value) {
            data.set(SHORT, 2 * index, Float.floatToFloat16(value));
        }
    };

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /** Bytes of one element. */
    public int bytes() {
        return bytes;
    }

    /** The element at {@code index} (in elements from the segment's start), widened without loss. */
    public abstract float read(MemorySegment data, long index);

    /** Stores {@code value} at {@code index}, rounded to nearest, ties to even. */
    public abstract void write(MemorySegment data, long index, float value);

    /** Rounds to nearest even as PyTorch does; a NaN stays a quiet NaN. */
    private static short toBf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) ((bits >>> 16) | 0x0040);
        }
        return (short) ((bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16);
    }
}
