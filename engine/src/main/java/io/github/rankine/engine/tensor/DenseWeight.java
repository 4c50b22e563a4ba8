package io.github.rankine.engine.tensor;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A weight whose elements are floating-point numbers, one after another.
 *
 * @param type how an element is stored
 * @param rows number of rows
 * @param cols elements in a row
 * @param data the elements, little-endian, possibly unaligned
 */
public record DenseWeight(DType type, long rows, long cols, MemorySegment data) implements Weight {
    public DenseWeight {
        if (rows < 0 || cols < 0) {
            throw new IllegalArgumentException("bad weight shape " + rows + " x " + cols);
        }
        long bytes = Math.multiplyExact(Math.multiplyExact(rows, cols), (long) type.bytes());
        if (!data.equals(MemorySegment.NULL) && data.byteSize() < bytes) {
            throw new IllegalArgumentException(
                    rows + " x " + cols + " " + type + " needs " + bytes + " bytes, has " + data.byteSize());
        }
    }

    /** A weight that has a shape and no memory, for planning. */
    public static DenseWeight shapeOnly(DType type, long rows, long cols) {
        return new DenseWeight(type, rows, cols, MemorySegment.NULL);
    }

    @Override
    public long bytes() {
        return size() * type.bytes();
    }

    @Override
    public List<MemorySegment> segments() {
        return List.of(data);
    }

    @Override
    public boolean hasMemory() {
        return !data.equals(MemorySegment.NULL);
    }

    @Override
    public String storage() {
        return type.name();
    }

    @Override
    public float at(long index) {
        return type.read(data, index);
    }

    @Override
    public Tensor asTensor() {
        return type == DType.F32 ? Tensor.of(data, rows, cols) : Weight.super.asTensor();
    }
}
