package io.github.rankine.reference.lowrank;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.util.Arrays;

/** Decompositions of updates, and what is measured with their vectors. */
public final class LowRank {
    /** Up to this shorter side a matrix is decomposed in full: minutes from here on. */
    public static final int FULL_UP_TO = 1024;

    /** Values up to this share of all of them are found faster by random sampling. */
    private static final int SAMPLING_SHARE = 4;

    private LowRank() {}

    /**
     * The decomposition of a matrix, in full where that is affordable, or else its largest values.
     *
     * @param name  what the matrix is, for messages
     * @param count values that are wanted where it cannot be had in full
     * @throws RankineException where an element is not a finite number
     */
    public static Decomposition decompose(String name, Tensor matrix, int count, Kernels kernels) {
        long least = Math.min(matrix.rows(), matrix.cols());
        return least <= FULL_UP_TO || count >= least
                ? FullSvd.of(name, matrix)
                : RandomizedSvd.of(name, matrix, count, kernels);
    }

    /**
     * The decomposition of a matrix of which its largest values are enough: by random sampling where they are few.
     *
     * @param name  what the matrix is, for messages
     * @param count values that are wanted at least, where it has as many
     * @throws RankineException where an element is not a finite number
     */
    public static Decomposition largest(String name, Tensor matrix, int count, Kernels kernels) {
        return (long) count * SAMPLING_SHARE <= Math.min(matrix.rows(), matrix.cols())
                ? RandomizedSvd.of(name, matrix, count, kernels)
                : decompose(name, matrix, count, kernels);
    }

    /**
     * The update of an adapter's module, {@code ΔW = scaling · B · A}, decomposed without forming it: with thin QRs {@code B = Q₁R₁} and
     * {@code Aᵀ = Q₂R₂} it is {@code Q₁ (scaling · R₁R₂ᵀ) Q₂ᵀ}, and only the r × r matrix in the middle is left to decompose.
     *
     * @param name the module, for messages
     * @throws RankineException where an element is not a finite number
     */
    public static Decomposition decompose(String name, LoraWeights factors, double scaling) {
        double[][] aRows;
        double[][] bRows;
        try (Arena arena = Arena.ofConfined()) {
            aRows = FullSvd.rows(name + ".lora_A.weight", factors.a().toTensor(arena));
            bRows = FullSvd.rows(name + ".lora_B.weight", factors.b().toTensor(arena));
        }
        int rows = bRows.length;
        int cols = aRows[0].length;
        ThinQr b = ThinQr.of(Vectors.transpose(bRows));
        ThinQr a = ThinQr.of(aRows);
        int rank = a.r().length;
        double[][] core = new double[rank][rank];
        double squaredNorm = 0;
        for (int i = 0; i < rank; i++) {
            for (int j = 0; j < rank; j++) {
                core[i][j] = scaling * Vectors.dot(b.r()[i], a.r()[j]);
                squaredNorm += core[i][j] * core[i][j];
            }
        }
        Decomposition inner = FullSvd.tall(Vectors.transpose(core));
        int kept = Math.min(rank, Math.min(rows, cols));
        double[][] left = new double[kept][];
        double[][] right = new double[kept][];
        for (int i = 0; i < kept; i++) {
            left[i] = Vectors.combine(inner.left()[i], b.q());
            right[i] = Vectors.combine(inner.right()[i], a.q());
        }
        return new Decomposition(rows, cols, Arrays.copyOf(inner.values(), kept), left, right, squaredNorm, 0);
    }

    /**
     * How much an update strengthens directions that the base weight hardly has: {@code ‖ΔW‖_F / ‖Uᵀ W V‖_F}, U and V the update's
     * singular vectors (Hu et al. 2021, section 7.3). Infinite where the weight has nothing in them, 0 for a zero update.
     *
     * @param base       the frozen weight, {@code [out, in]}, or {@code [in, out]} when {@code transposed}
     */
    public static double amplification(Decomposition update, Weight base, boolean transposed, Kernels kernels) {
        int rank = update.spectrum().rank();
        if (rank == 0) {
            return 0;
        }
        try (Arena arena = Arena.ofShared()) {
            Tensor v = Tensor.allocate(arena, rank, update.cols());
            for (int i = 0; i < rank; i++) {
                for (int j = 0; j < update.cols(); j++) {
                    v.set(i, j, (float) update.right()[i][j]);
                }
            }
            Tensor wv = Tensor.allocate(arena, rank, update.rows());
            if (transposed) {
                kernels.matmulNN(v, base, wv, 1, false);
            } else {
                kernels.matmulNT(v, base, wv, 1, false);
            }
            double projected = 0;
            for (double[] image : FullSvd.rows("the base weight's product", wv)) {
                for (int i = 0; i < rank; i++) {
                    double element = Vectors.dot(update.left()[i], image);
                    projected += element * element;
                }
            }
            return Math.sqrt(update.squaredNorm() / projected);
        }
    }

    /**
     * How much two updates' most important directions have in common: {@code φ(i, j) = ‖U₁ⁱᵀ U₂ʲ‖²_F / min(i, j)} over the first i and j right
     * singular vectors (Hu et al. 2021, equation 4): 1 where the one subspace holds the other, 0 where they are orthogonal.
     *
     * @return by rows; φ(i, j) is element {@code [i − 1][j − 1]}
     */
    public static double[][] similarity(Decomposition first, Decomposition second) {
        if (first.cols() != second.cols()) {
            throw new IllegalArgumentException(first.cols() + " and " + second.cols() + " input features");
        }
        int rows = first.values().length;
        int cols = second.values().length;
        double[][] phi = new double[rows][cols];
        double[] above = new double[cols];
        for (int i = 0; i < rows; i++) {
            double sum = 0;
            for (int j = 0; j < cols; j++) {
                double cosine = Vectors.dot(first.right()[i], second.right()[j]);
                sum += cosine * cosine;
                above[j] += sum;
                phi[i][j] = above[j] / (Math.min(i, j) + 1);
            }
        }
        return phi;
    }

    /**
     * Intruder dimensions (Shuttleworth et al. 2024): how many of the changed weight's most important left singular vectors have no counterpart
     * among those of the weight before, that is, none to which the cosine reaches {@code threshold}.
     *
     * @param before a full decomposition of W
     * @param after  the largest singular values of W + ΔW, and their vectors
     */
    public static int intruders(Decomposition before, Decomposition after, double threshold) {
        int intruders = 0;
        for (double[] vector : after.left()) {
            boolean known = false;
            for (double[] old : before.left()) {
                known |= Math.abs(Vectors.dot(vector, old)) >= threshold;
            }
            intruders += known ? 0 : 1;
        }
        return intruders;
    }
}
