package io.github.rankine.engine.lora;

import io.github.rankine.engine.tensor.Weight;

/**
 * The two matrices of one module's update, {@code scaling · B · A}.
 *
 * @param a {@code [r, in]}
 * @param b {@code [out, r]}; for GPT-2's Conv1D too, although the base weight is stored {@code [in, out]}
 */
public record LoraWeights(Weight a, Weight b) {
    public LoraWeights {
        if (a.rows() != b.cols()) {
            throw new IllegalArgumentException("A has " + a.rows() + " rows and B " + b.cols() + " columns");
        }
    }

    /** r. */
    public int rank() {
        return Math.toIntExact(a.rows());
    }

    /** Number of elements of both. */
    public long parameters() {
        return a.size() + b.size();
    }
}
