package io.github.rankine.engine.kernels;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.MemorySegment;

/** The right-hand side of a product as packing reads it: a weight or a tensor, rows {@code stride} elements apart. */
record Operand(DType type, MemorySegment data, long rows, long cols, long stride) {
    static Operand of(Weight weight) {
        return new Operand(weight.type(), weight.data(), weight.rows(), weight.cols(), weight.cols());
    }

    static Operand of(Tensor tensor) {
        return new Operand(DType.F32, tensor.segment(), tensor.rows(), tensor.cols(), tensor.stride());
    }

    /** Unpacks {@code count} elements of a row. */
    void read(long row, long col, float[] out, int offset, int count) {
        Unpack.row(type, data, row * stride + col, out, offset, count);
    }
}
