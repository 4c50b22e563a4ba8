package io.github.rankine.reference.lowrank;

import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * The singular values σ₁ ≥ σ₂ ≥ … of a matrix and what they say of the rank that it needs. Of a zero matrix nothing is lost at any
 * rank.
 *
 * @param values      the singular values, the largest first; all of them, or the first few
 * @param squaredNorm {@code ‖A‖²_F}, the sum of the squares of all singular values
 * @param rows        of the matrix
 * @param cols        of the matrix
 * @param residual    what may be left beside a range that was found by chance, {@code ‖A − Q·Qᵀ·A‖₂}; 0 where none was
 */
public record Spectrum(double[] values, double squaredNorm, int rows, int cols, double residual) {
    /** The unit in the last place of 1 in float32, which weights are stored in. */
    private static final double FLOAT_EPSILON = 0x1p-23;

    /** What is larger than this is no rounding, however long the matrix. */
    private static final double MOST_ROUNDING = 1e-4;

    /** Energy that goes missing by rounding in double alone. */
    private static final double NOTHING = 1e-12;

    /** Whether every singular value is known: those that are not listed are 0. */
    public boolean isComplete() {
        return values.length == Math.min(rows, cols) || (residual == 0 && energy(values.length) > 1 - NOTHING);
    }

    /** How far any of the values may be below the true one: {@code √(σ² + residual²) − σ} of the smallest. */
    public double errorBound() {
        double least = values[values.length - 1];
        return Math.sqrt(least * least + residual * residual) - least;
    }

    /** The share of the energy that the best approximation of a rank keeps: {@code Σ_{i ≤ rank} σᵢ² / ‖A‖²_F}. */
    public double energy(int rank) {
        if (squaredNorm == 0) {
            return 1;
        }
        double kept = 0;
        for (int i = 0; i < Math.min(rank, values.length); i++) {
            kept += values[i] * values[i];
        }
        return Math.min(1, kept / squaredNorm);
    }

    /** The energy kept at ranks 1, 2, … */
    public double[] energies() {
        double[] energies = new double[values.length];
        double kept = 0;
        for (int i = 0; i < values.length; i++) {
            kept += values[i] * values[i];
            energies[i] = squaredNorm == 0 ? 1 : Math.min(1, kept / squaredNorm);
        }
        return energies;
    }

    /** {@code ‖A − A_rank‖_F / ‖A‖_F} of the best approximation of that rank (Eckart and Young 1936). */
    public double frobeniusError(int rank) {
        return Math.sqrt(Math.max(0, 1 - energy(rank)));
    }

    /**
     * {@code ‖A − A_rank‖₂ / ‖A‖₂ = σ_{rank+1} / σ₁} of the best approximation of that rank (Mirsky 1960); empty where that singular value is
     * not known.
     */
    public OptionalDouble spectralError(int rank) {
        if (squaredNorm == 0) {
            return OptionalDouble.of(0);
        }
        if (rank < values.length) {
            return OptionalDouble.of(values[rank] / values[0]);
        }
        return isComplete() ? OptionalDouble.of(0) : OptionalDouble.empty();
    }

    /**
     * The effective rank of Roy and Vetterli (2007): e to the Shannon entropy of {@code σᵢ / Σσ}. It is r for r equal singular values and
     * less for unequal ones; 0 for a zero matrix, empty where not all singular values are known.
     */
    public OptionalDouble effectiveRank() {
        if (squaredNorm == 0) {
            return OptionalDouble.of(0);
        }
        if (!isComplete()) {
            return OptionalDouble.empty();
        }
        double sum = 0;
        for (double value : values) {
            sum += value;
        }
        double entropy = 0;
        for (double value : values) {
            double p = value / sum;
            entropy -= p > 0 ? p * Math.log(p) : 0;
        }
        return OptionalDouble.of(Math.exp(entropy));
    }

    /** The stable rank, {@code ‖A‖²_F / ‖A‖₂²} (Rudelson and Vershynin 2007): never above the rank, and blind to small values. */
    public double stableRank() {
        return squaredNorm == 0 ? 0 : squaredNorm / (values[0] * values[0]);
    }

    /** The smallest rank that keeps a share of the energy, in (0, 1]; 0 for a zero matrix, empty where more values had to be known. */
    public OptionalInt rankFor(double energy) {
        if (!(energy > 0 && energy <= 1)) {
            throw new IllegalArgumentException("energy " + energy);
        }
        if (squaredNorm == 0) {
            return OptionalInt.of(0);
        }
        double kept = 0;
        int rank = rank();
        for (int i = 0; i < rank; i++) {
            kept += values[i] * values[i];
            if (kept >= energy * squaredNorm) {
                return OptionalInt.of(i + 1);
            }
        }
        // All that is above rounding is kept.
        return isComplete() || rank < values.length ? OptionalInt.of(rank) : OptionalInt.empty();
    }

    /**
     * How many of the known singular values are above rounding: {@code σ > σ₁ · max(m, n) · ε} of float32, as NumPy's matrix_rank has it, and
     * for the longest matrices {@code σ > σ₁ · 10⁻⁴}.
     */
    public int rank() {
        double least = Math.min(Math.max(rows, cols) * FLOAT_EPSILON, MOST_ROUNDING);
        int rank = 0;
        while (rank < values.length && values[rank] > values[0] * least) {
            rank++;
        }
        return rank;
    }
}
