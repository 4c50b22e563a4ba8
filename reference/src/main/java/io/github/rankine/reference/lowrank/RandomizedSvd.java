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
 * <p>The error is estimated as in section 4.3: with probability 1 − 10⁻¹⁰, {@code ‖M‖₂} is at most {@code 10 · √(2/π)} times the longest of
 * ten {@code M · ω}, ω standard normal. For {@code M = (E·Eᵀ)³·E} of {@code E = A − Q·Qᵀ·A} the seventh root of that is within a factor of two of
 * {@code ‖E‖₂}; where next to nothing is left, that of {@code M = E} is the better one. It bounds the singular values too:
 * {@code σᵢ(B)² ≤ σᵢ(A)² ≤ σᵢ(B)² + ‖E‖₂²}, for {@code AᵀA = BᵀB + EᵀE}.
 */
public final class RandomizedSvd {
    /** Columns of Ω beyond the values that are wanted. */
    private static final int OVERSAMPLING = 10;

    private static final int POWER_ITERATIONS = 2;
    /** Vectors that the error is estimated with; the chance of a wrong bound is 10 to minus this. */
    private static final int TRIALS = 10;

    /** Powers of E·Eᵀ that sharpen the estimate. */
    private static final int TRIAL_POWER = 3;

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
        return of(name, matrix, count, POWER_ITERATIONS, kernels);
    }

    /**
     * The same with another number of power iterations than two.
     *
     * @throws io.github.rankine.engine.RankineException where an element is not a finite number
     */
    public static Decomposition of(String name, Tensor matrix, int count, int iterations, Kernels kernels) {
        try (Arena arena = Arena.ofShared()) {
            return new RandomizedSvd(name, matrix, kernels, arena).run(count, iterations);
        }
    }

    private Decomposition run(int count, int iterations) {
        double squaredNorm = squaredNorm();
        int least = Math.toIntExact(Math.min(a.rows(), a.cols()));
        int columns = Math.min(count + OVERSAMPLING, least);
        Tensor q = orthonormal(times(gaussian(columns)));
        for (int i = 0; i < iterations; i++) {
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

    /** An upper bound of {@code ‖A − Q·Qᵀ·A‖₂}. */
    private double estimate(Tensor q) {
        Tensor y = withoutRange(q, times(gaussian(TRIALS)));
        // The better bound where next to nothing is left: powers raise what float32 leaves of the range.
        double plain = TRIAL_FACTOR * longest(y);
        double logarithm = 0;
        for (int i = 0; i < TRIAL_POWER; i++) {
            double longest = longest(y);
            if (longest == 0) {
                return 0;
            }
            // Seventh powers leave the range of float32.
            kernels.scale(y, (float) (1 / longest), y);
            logarithm += Math.log(longest);
            y = withoutRange(q, times(transposedTimes(y)));
        }
        logarithm += Math.log(TRIAL_FACTOR * longest(y));
        return Math.min(plain, Math.exp(logarithm / (2 * TRIAL_POWER + 1)));
    }

    /** {@code y − Q·Qᵀ·y} in the place of y. */
    private Tensor withoutRange(Tensor q, Tensor y) {
        Tensor inner = Tensor.allocate(arena, q.cols(), y.cols());
        kernels.matmulTN(q, y, inner, 1, false);
        kernels.matmulNN(q, inner.asWeight(), y, -1, true);
        return y;
    }

    private static double longest(Tensor y) {
        double longest = 0;
        for (double[] column : columns(y)) {
            longest = Math.max(longest, Vectors.dot(column, column));
        }
        return Math.sqrt(longest);
    }

    private static double[][] columns(Tensor x) {
        return Vectors.transpose(FullSvd.rows("a product", x));
    }
}
