package io.github.rankine.engine.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The codes that elements of a {@link QuantizedWeight} are stored as; an element is its code's value times its block's scale. */
public enum QuantizedType {
    /**
     * Four bits, the first of a byte's two elements in its upper half: sixteen quantiles of the normal distribution, scaled to
     * −1 … 1 (Dettmers et al. 2023, "QLoRA: Efficient Finetuning of Quantized LLMs", appendix E), with the constants of bitsandbytes.
     * Its blocks have 64 elements unless a file says otherwise.
     */
    NF4(4, 64) {
        @Override
        public float value(MemorySegment codes, long index) {
            return NF4_VALUES[codes.get(ValueLayout.JAVA_BYTE, index >> 1) >> (4 - 4 * (index & 1)) & 15];
        }
    },
    /**
     * A signed byte, −127 … 127. Blocks of 32, and not rows: an outlier costs the precision of its 31 neighbours instead of a whole
     * row's, for one bit more an element.
     */
    INT8(8, 32) {
        @Override
        public float value(MemorySegment codes, long index) {
            return codes.get(ValueLayout.JAVA_BYTE, index);
        }
    };

    private static final float[] NF4_VALUES = {
        -1.0f,
        -0.6961928009986877f,
        -0.5250730514526367f,
        -0.39491748809814453f,
        -0.28444138169288635f,
        -0.18477343022823334f,
        -0.09105003625154495f,
        0.0f,
        0.07958029955625534f,
        0.16093020141124725f,
        0.24611230194568634f,
        0.33791524171829224f,
        0.44070982933044434f,
        0.5626170039176941f,
        0.7229568362236023f,
        1.0f
    };

    private final int bits;
    private final int blockSize;

    QuantizedType(int bits, int blockSize) {
        this.bits = bits;
        this.blockSize = blockSize;
    }

    /** The values of NF4's sixteen codes. */
    public static float[] nf4Values() {
        return NF4_VALUES.clone();
    }

    /** Bits of a code. */
    public int bits() {
        return bits;
    }

    /** Elements that share a scale where nothing says otherwise. */
    public int blockSize() {
        return blockSize;
    }

    /** Bytes of {@code elements} codes. */
    public long bytes(long elements) {
        return Math.ceilDiv(Math.multiplyExact(elements, (long) bits), 8);
    }

    /** The value of the code at {@code index}. */
    public abstract float value(MemorySegment codes, long index);
}
