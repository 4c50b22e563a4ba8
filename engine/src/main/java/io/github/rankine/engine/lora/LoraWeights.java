package io.github.rankine.engine.lora;

import io.github.rankine.engine.tensor.Weight;

/**
 * The two matrices of one module's update, {@code scaling · B · A}.
 *
 * @param a         {@code [r, in]}
 * @param b         {@code [out, r]}; for GPT-2's Conv1D too, although the base weight is stored {@code [in, out]}
 * @param magnitude DoRA's lengths of the rows, {@code [1, out]}; null without DoRA
 */
public record LoraWeights(Weight a, Weight b, Weight magnitude) {
    public LoraWeights {
        if (a.rows() != b.cols()) {
            throw new IllegalArgumentException("A has " + a.rows() + " rows and B " + b.cols() + " columns");
        }
    }

    /** Those of plain LoRA. */
    public LoraWeights(Weight a, Weight b) {
        this(a, b, null);
    }

    /** r. */
    public int rank() {
        return Math.toIntExact(a.rows());
    }

    /** Number of elements of all. */
    public long parameters() {
        return a.size() + b.size() + (magnitude == null ? 0 : magnitude.size());
    }
}
