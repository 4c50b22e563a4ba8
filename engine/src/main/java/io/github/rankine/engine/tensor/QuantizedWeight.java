package io.github.rankine.engine.tensor;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A frozen weight in few bits: blocks of {@code blockSize} elements, counted row by row without regard to where rows end, each with a
 * scale of its own.
 *
 * @param type      the codes
 * @param rows      number of rows
 * @param cols      elements in a row
 * @param codes     the codes, row by row
 * @param scales    one factor a block
 * @param blockSize elements in a block; the last may have fewer
 */
public record QuantizedWeight(
        QuantizedType type, long rows, long cols, MemorySegment codes, BlockScales scales, int blockSize)
        implements Weight {
    public QuantizedWeight {
        if (rows < 0 || cols < 0 || blockSize < 1) {
            throw new IllegalArgumentException(
                    "bad weight shape " + rows + " x " + cols + " in blocks of " + blockSize);
        }
        long bytes = type.bytes(Math.multiplyExact(rows, cols));
        if (!codes.equals(MemorySegment.NULL) && codes.byteSize() < bytes) {
            throw new IllegalArgumentException(
                    rows + " x " + cols + " " + type + " needs " + bytes + " bytes, has " + codes.byteSize());
        }
    }

    /** Blocks of {@code elements} elements. */
    public static long blocks(long elements, int blockSize) {
        return Math.ceilDiv(elements, (long) blockSize);
    }

    @Override
    public long bytes() {
        return type.bytes(size()) + scales.bytes();
    }

    @Override
    public List<MemorySegment> segments() {
        return switch (scales) {
            case BlockScales.Plain plain -> List.of(codes, plain.data());
            case BlockScales.Nested nested ->
                List.of(codes, nested.codes(), nested.nested().data());
        };
    }

    @Override
    public boolean hasMemory() {
        return !codes.equals(MemorySegment.NULL);
    }

    @Override
    public String storage() {
        return type.name();
    }

    @Override
    public float at(long index) {
        return type.value(codes, index) * scales.at(index / blockSize);
    }
}
