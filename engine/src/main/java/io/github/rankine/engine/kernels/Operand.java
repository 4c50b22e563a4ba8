package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.NR;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.QuantizedWeight;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.MemorySegment;

/** A weight or a tensor as the products read it: unpacked to float32, a stretch at a time. */
sealed interface Operand {
    static Operand of(Weight weight) {
        return switch (weight) {
            case DenseWeight dense -> new Dense(dense.type(), dense.data(), dense.rows(), dense.cols(), dense.cols());
            case QuantizedWeight quantized -> new Quantized(quantized);
        };
    }

    static Operand of(Tensor tensor) {
        return new Dense(DType.F32, tensor.segment(), tensor.rows(), tensor.cols(), tensor.stride());
    }

    long rows();

    long cols();

    /** Unpacks {@code count} elements of a row. */
    void read(long row, long col, float[] out, int offset, int count);

    /** Unpacks NR columns from {@code col} of {@code depth} rows from {@code row}: {@code out[depth, NR]}. */
    void readPanel(long row, int depth, long col, float[] out, int offset);

    /** Floating-point numbers, rows {@code stride} elements apart. */
    record Dense(DType type, MemorySegment data, long rows, long cols, long stride) implements Operand {
        @Override
        public void read(long row, long col, float[] out, int offset, int count) {
            Unpack.row(type, data, row * stride + col, out, offset, count);
        }

        @Override
        public void readPanel(long row, int depth, long col, float[] out, int offset) {
            Unpack.panel(type, data, row * stride + col, stride, depth, out, offset);
        }
    }

    /** Codes in blocks. */
    record Quantized(QuantizedWeight weight) implements Operand {
        @Override
        public long rows() {
            return weight.rows();
        }

        @Override
        public long cols() {
            return weight.cols();
        }

        @Override
        public void read(long row, long col, float[] out, int offset, int count) {
            Dequantization.run(weight, row * weight.cols() + col, out, offset, count);
        }

        @Override
        public void readPanel(long row, int depth, long col, float[] out, int offset) {
            for (int d = 0; d < depth; d++) {
                read(row + d, col, out, offset + d * NR, NR);
            }
        }
    }
}
