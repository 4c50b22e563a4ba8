package io.github.rankine.reference;

import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;

/** Between float32 memory and the heap's dense doubles: where the reference rounds, and the only place. */
final class Boundary {
    private Boundary() {}

    /** The elements of a tensor that must be {@code rows × cols}. */
    static double[] read(Tensor tensor, long rows, long cols) {
        check(tensor, rows, cols);
        double[] values = new double[length(rows, cols)];
        for (int row = 0, i = 0; row < rows; row++) {
            for (int col = 0; col < cols; col++, i++) {
                values[i] = tensor.get(row, col);
            }
        }
        return values;
    }

    /** The elements of a weight that must be {@code rows × cols}. */
    static double[] read(Weight weight, long rows, long cols) {
        if (weight.rows() != rows || weight.cols() != cols) {
            throw new IllegalArgumentException(
                    "weight of " + weight.rows() + " x " + weight.cols() + " instead of " + rows + " x " + cols);
        }
        double[] values = new double[length(rows, cols)];
        for (int i = 0; i < values.length; i++) {
            values[i] = weight.at(i);
        }
        return values;
    }

    /** The elements of a row. */
    static double[] readRow(Weight weight, long row) {
        double[] values = new double[length(1, weight.cols())];
        for (int col = 0; col < values.length; col++) {
            values[col] = weight.get(row, col);
        }
        return values;
    }

    /** The elements of a vector, stored as a row or as a column. */
    static double[] readVector(Weight weight, long size) {
        return weight.cols() == 1 ? read(weight, size, 1) : read(weight, 1, size);
    }

    /** Rounds {@code values}, or their sum with what {@code out} holds, into {@code out}. */
    static void write(double[] values, Tensor out, boolean accumulate) {
        if (values.length != out.size()) {
            throw new IllegalArgumentException(values.length + " values for " + out.rows() + " x " + out.cols());
        }
        for (int row = 0, i = 0; row < out.rows(); row++) {
            for (int col = 0; col < out.cols(); col++, i++) {
                out.set(row, col, (float) (accumulate ? out.get(row, col) + values[i] : values[i]));
            }
        }
    }

    /** Refuses a tensor of another shape, and one that no array can hold. */
    static void check(Tensor tensor, long rows, long cols) {
        if (tensor.rows() != rows || tensor.cols() != cols) {
            throw new IllegalArgumentException(
                    "tensor of " + tensor.rows() + " x " + tensor.cols() + " instead of " + rows + " x " + cols);
        }
        length(rows, cols);
    }

    /** Refuses an index that is not below {@code limit}, and a wrong number of them. */
    static void checkIndices(int[] indices, long count, long limit) {
        if (indices.length != count) {
            throw new IllegalArgumentException(indices.length + " indices for " + count + " rows");
        }
        for (int index : indices) {
            if (index < 0 || index >= limit) {
                throw new IllegalArgumentException("index " + index + " of " + limit);
            }
        }
    }

    private static int length(long rows, long cols) {
        long size = rows * cols;
        if (size > Integer.MAX_VALUE - 8) {
            throw new IllegalArgumentException(rows + " x " + cols
                    + " is too large for the reference kernels, which copy a matrix into one array");
        }
        return (int) size;
    }
}
