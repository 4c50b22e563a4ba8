package io.github.rankine.reference.lowrank;

import java.util.Arrays;

/**
 * The largest singular values of a matrix {@code A [m, n]} and their vectors: {@code A ≈ Σ valuesᵢ · leftᵢ · rightᵢᵀ}.
 *
 * @param rows        m
 * @param cols        n
 * @param values      singular values σ, the largest first; all min(m, n) of them, or the first k
 * @param left        left singular vectors, of m elements each, unit length and orthogonal; those of zero values may be zero
 * @param right       right singular vectors, of n elements each
 * @param squaredNorm {@code ‖A‖²_F} of the whole matrix, which is Σσ² over all singular values
 * @param residual    how large a direction that was missed may be: 0 for a full decomposition, the bound of {@link RandomizedSvd}
 *     otherwise
 */
public record Decomposition(
        int rows, int cols, double[] values, double[][] left, double[][] right, double squaredNorm, double residual) {

    /** The singular values and what follows from them. */
    public Spectrum spectrum() {
        return new Spectrum(values, squaredNorm, rows, cols, residual);
    }

    /** The first {@code rank} values and vectors: the best approximation of that rank (Eckart and Young 1936). */
    public Decomposition truncated(int rank) {
        int kept = Math.min(rank, values.length);
        return new Decomposition(
                rows,
                cols,
                Arrays.copyOf(values, kept),
                Arrays.copyOf(left, kept),
                Arrays.copyOf(right, kept),
                squaredNorm,
                residual);
    }

    /** The same of the transposed matrix. */
    public Decomposition transposed() {
        return new Decomposition(cols, rows, values, right, left, squaredNorm, residual);
    }
}
