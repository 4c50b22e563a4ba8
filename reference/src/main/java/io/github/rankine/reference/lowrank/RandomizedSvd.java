package io.github.rankine.reference.lowrank;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Random;

/**
 * The largest singular values and vectors of a matrix that is too large for a full decomposition, from a randomised range finder with power
 * iterations (Halko, Martinsson and Tropp 2011, "Finding Structure with Randomness", algorithms 4.4 and 5.1). The products run on the
 * engine's kernels, in float32; the small matrices that they leave are decomposed in double.
 *
 * <pre>
 *   Y = A · Ω [m, l]   Q = orth(Y)   twice: Q = orth(A · orth(Aᵀ · Q))   B = Qᵀ · A [l, n] = U · Σ · Vᵀ   A ≈ (Q · U) · Σ · Vᵀ
 * </pre>
 *
 * <p>The error is estimated as in section 4.3: with probability 1 − 10⁻¹⁰, {@code ‖A − Q·Qᵀ·A‖₂} is at most {@code 10 · √(2/π)} times the
 * longest of ten {@code (A − Q·Qᵀ·A) · ω}, ω standard normal. On flat spectra what is left of the squared norm,
 * {@code ‖A‖²_F − ‖B‖²_F}, bounds it better. No singular value is further off than that.
 */
public final class RandomizedSvd {
    /** Columns of Ω beyond the values that are wanted. */
    private static final int OVERSAMPLING = 10;

    private static final int POWER_ITERATIONS = 2;
    /** Vectors that the error is estimated with; the chance of a wrong bound is 10 to minus this. */
    private static final int TRIALS = 10;

    /** What products in float32 may add to a squared norm or take from it. */
    private static final double ROUNDING = 1e-6;

    private static final double TRIAL_FACTOR = 10 * Math.sqrt(2 / Math.PI);

    private final String name;
    private final Tensor a;
    private final Kernels kernels;
    private final Arena arena;
    private final Random random = new Random(0);

    private RandomizedSvd(String name, Tensor a, Kernels kernels, Arena arena) {
        this.name = name;
        this.a = a;
        this.kernels = kernels;
        this.arena = arena;
    }

    /**
     * The {@code count} largest singular values and their vectors.
     *
     * @param name what the matrix is, for messages
     * @throws io.github.rankine.engine.RankineException where an element is not a finite number
     */
    public static Decomposition of(String name, Tensor matrix, int count, Kernels kernels) {
        try (Arena arena = Arena.ofShared()) {
            return new RandomizedSvd(name, matrix, kernels, arena).run(count);
        }
    }

    private Decomposition run(int count) {
        double squaredNorm = squaredNorm();
        int least = Math.toIntExact(Math.min(a.rows(), a.cols()));
        int columns = Math.min(count + OVERSAMPLING, least);
        Tensor q = orthonormal(times(gaussian(columns)));
        for (int i = 0; i < POWER_ITERATIONS; i++) {
            q = orthonormal(times(orthonormal(transposedTimes(q))));
        }
        Decomposition small = FullSvd.tall(columns(transposedTimes(q))).transposed();
        double[][] basis = columns(q);
        int kept = Math.min(count, columns);
        double[][] left = new double[kept][];
        for (int i = 0; i < kept; i++) {
            left[i] = Vectors.combine(small.left()[i], basis);
        }
        double missed = squaredNorm - small.squaredNorm() + ROUNDING * squaredNorm;
        Decomposition top = small.truncated(kept);
        return new Decomposition(
                Math.toIntExact(a.rows()),
                Math.toIntExact(a.cols()),
                top.values(),
                left,
                top.right(),
                squaredNorm,
                Math.min(estimate(q), Math.sqrt(Math.max(0, missed))));
    }

    private double squaredNorm() {
        double sum = 0;
        for (long row = 0; row < a.rows(); row++) {
            for (double value : FullSvd.rows(name, a, row, 1)[0]) {
                sum += value * value;
            }
        }
        return sum;
    }

    /** {@code [n, columns]} of standard normal numbers. */
    private Tensor gaussian(int columns) {
        Tensor omega = Tensor.allocate(arena, a.cols(), columns);
        for (long i = 0; i < omega.rows(); i++) {
            for (long j = 0; j < columns; j++) {
                omega.set(i, j, (float) random.nextGaussian());
            }
        }
        return omega;
    }

    /** {@code A · x}. */
    private Tensor times(Tensor x) {
        Tensor y = Tensor.allocate(arena, a.rows(), x.cols());
        kernels.matmulNN(a, x.asWeight(), y, 1, false);
        return y;
    }

    /** {@code Aᵀ · x}. */
    private Tensor transposedTimes(Tensor x) {
        Tensor y = Tensor.allocate(arena, a.cols(), x.cols());
        kernels.matmulTN(a, x, y, 1, false);
        return y;
    }

    /** An orthonormal basis of what the columns span, in their place. */
    private static Tensor orthonormal(Tensor y) {
        double[][] q = ThinQr.of(columns(y)).q();
        for (int j = 0; j < q.length; j++) {
            for (int i = 0; i < q[j].length; i++) {
                y.set(i, j, (float) q[j][i]);
            }
        }
        return y;
    }

    private double estimate(Tensor q) {
        Tensor y = times(gaussian(TRIALS));
        Tensor inner = Tensor.allocate(arena, q.cols(), TRIALS);
        kernels.matmulTN(q, y, inner, 1, false);
        kernels.matmulNN(q, inner.asWeight(), y, -1, true);
        double longest = 0;
        for (double[] column : columns(y)) {
            longest = Math.max(longest, Vectors.dot(column, column));
        }
        return TRIAL_FACTOR * Math.sqrt(longest);
    }

    private static double[][] columns(Tensor x) {
        return Vectors.transpose(FullSvd.rows("a product", x));
    }
}
