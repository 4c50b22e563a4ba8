package io.github.rankine.engine.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A matrix as it is stored, {@code rows × cols}, row-major. Frozen weights are weights over a mapped file: kernels unpack a panel at a
 * time to float32, and no float32 copy of the whole exists.
 */
public sealed interface Weight permits DenseWeight, QuantizedWeight {
    /** Number of rows; for a linear layer the output features. */
    long rows();

    /** Elements in a row; for a linear layer the input features. */
    long cols();

    /** Number of elements. */
    default long size() {
        return rows() * cols();
    }

    /** Bytes of memory that it takes. */
    long bytes();

    /** The memory that it lies in. */
    List<MemorySegment> segments();

    /** Whether there is memory behind it; without, it stands for a weight when a run is planned. */
    boolean hasMemory();

    /** How its elements are stored, in a word. */
    String storage();

    /** The element at {@code index}, counted row by row, as float32. */
    float at(long index);

    default float get(long row, long col) {
        return at(row * cols() + col);
    }

    /** This weight as a tensor; only a float32 one can be. */
    default Tensor asTensor() {
        throw new IllegalStateException("a " + storage() + " weight is not a tensor");
    }

    /** A float32 copy in {@code arena}, {@code cols × rows}. */
    default Tensor transposed(Arena arena) {
        Tensor result = Tensor.allocate(arena, cols(), rows());
        for (long row = 0; row < rows(); row++) {
            for (long col = 0; col < cols(); col++) {
                result.set(col, row, get(row, col));
            }
        }
        return result;
    }

    /** A float32 copy in {@code arena}. */
    default Tensor toTensor(Arena arena) {
        if (!hasMemory()) {
            return Tensor.shapeOnly(rows(), cols());
        }
        Tensor tensor = Tensor.allocate(arena, rows(), cols());
        for (long i = 0; i < size(); i++) {
            DType.F32.write(tensor.segment(), i, at(i));
        }
        return tensor;
    }
}
