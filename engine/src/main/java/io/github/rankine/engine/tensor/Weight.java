package io.github.rankine.engine.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A matrix in its storage type, {@code rows × cols}, row-major and contiguous. Frozen weights are weights over a mapped
 * file: kernels unpack a panel at a time to float32, and no float32 copy of the whole exists.
 *
 * @param type how an element is stored
 * @param rows number of rows; for a linear layer the output features
 * @param cols elements in a row; for a linear layer the input features
 * @param data the elements, little-endian, possibly unaligned
 */
public record Weight(DType type, long rows, long cols, MemorySegment data) {
    public Weight {
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
    public static Weight shapeOnly(DType type, long rows, long cols) {
        return new Weight(type, rows, cols, MemorySegment.NULL);
    }

    public long size() {
        return rows * cols;
    }

    public long bytes() {
        return size() * type.bytes();
    }

    public boolean hasMemory() {
        return !data.equals(MemorySegment.NULL);
    }

    public float get(long row, long col) {
        return type.read(data, row * cols + col);
    }

    /** A view of {@code count} rows from {@code first}. */
    public Weight rows(long first, long count) {
        if (first < 0 || count < 0 || first + count > rows) {
            throw new IndexOutOfBoundsException(first + " + " + count + " of " + rows);
        }
        long rowBytes = cols * type.bytes();
        return new Weight(type, count, cols, hasMemory() ? data.asSlice(first * rowBytes, count * rowBytes) : data);
    }

    /** This weight as a tensor; only a float32 one can be. */
    public Tensor asTensor() {
        if (type != DType.F32) {
            throw new IllegalStateException("a " + type + " weight is not a tensor");
        }
        return Tensor.of(data, rows, cols);
    }

    /** A float32 copy in {@code arena}. */
    public Tensor toTensor(Arena arena) {
        if (!hasMemory()) {
            return Tensor.shapeOnly(rows, cols);
        }
        Tensor tensor = Tensor.allocate(arena, rows, cols);
        for (long i = 0; i < size(); i++) {
            DType.F32.write(tensor.segment(), i, type.read(data, i));
        }
        return tensor;
    }
}
