package io.github.rankine.engine.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The factors of a quantised weight's blocks. */
public sealed interface BlockScales {
    /** The factor of a block. */
    float at(long block);

    /** Copies the factors of {@code count} blocks from {@code first} on: one call where a loop would make many. */
    void read(long first, int count, float[] out);

    /** Bytes that the factors take. */
    long bytes();

    /** A layout of file and memory alike. */
    ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /**
     * Float32 numbers.
     *
     * @param data   the factors, little-endian, possibly unaligned
     * @param blocks number of blocks
     */
    record Plain(MemorySegment data, long blocks) implements BlockScales {
        @Override
        public float at(long block) {
            return data.get(FLOAT, 4 * block);
        }

        @Override
        public void read(long first, int count, float[] out) {
            MemorySegment.copy(data, FLOAT, 4 * first, out, 0, count);
        }

        @Override
        public long bytes() {
            return 4 * blocks;
        }
    }

    /**
     * Double quantisation (Dettmers et al. 2023, section 3): the factors themselves are codes of eight bits in blocks,
     * {@code values[code] · scale + offset}.
     *
     * @param codes     a byte a factor
     * @param values    of the 256 codes
     * @param nested    factors of the blocks of codes
     * @param blockSize codes in a block
     * @param offset    mean of all factors, which was taken off before
     * @param blocks    number of factors
     */
    record Nested(MemorySegment codes, float[] values, Plain nested, int blockSize, float offset, long blocks)
            implements BlockScales {
        @Override
        public float at(long block) {
            int code = codes.get(ValueLayout.JAVA_BYTE, block) & 0xFF;
            return values[code] * nested.at(block / blockSize) + offset;
        }

        @Override
        public void read(long first, int count, float[] out) {
            float factor = 0;
            for (int i = 0; i < count; i++) {
                long block = first + i;
                if (i == 0 || block % blockSize == 0) {
                    factor = nested.at(block / blockSize);
                }
                out[i] = values[codes.get(ValueLayout.JAVA_BYTE, block) & 0xFF] * factor + offset;
            }
        }

        @Override
        public long bytes() {
            return blocks + nested.bytes();
        }
    }
}
