package io.github.rankine.reference;

/** The standard normal distribution, to nearly all digits of a double (Abramowitz and Stegun 1964, 7.1.6 and 7.1.14). */
final class Gaussian {
    private static final double ROOT_PI = Math.sqrt(Math.PI);
    /** From here on the continued fraction converges fast, and below it the series does. */
    private static final double TAIL = 3;

    private static final int FRACTION_TERMS = 80;

    private Gaussian() {}

    /** {@code exp(−x²/2) / √(2π)}. */
    static double density(double x) {
        return Math.exp(-x * x / 2) / (Math.sqrt(2) * ROOT_PI);
    }

    /** {@code Φ(x)}; the lower tail keeps its relative precision. */
    static double cumulative(double x) {
        double z = Math.abs(x) / Math.sqrt(2);
        double upperTail = (z < TAIL ? 1 - erf(z) : erfc(z)) / 2;
        return x < 0 ? upperTail : 1 - upperTail;
    }

    /** {@code 2/√π · exp(−z²) · Σ 2ⁿ z²ⁿ⁺¹ / (1 · 3 · … · (2n + 1))}: all terms are positive, none cancels. */
    private static double erf(double z) {
        double term = z;
        double sum = z;
        for (int n = 1; term > 1e-17 * sum; n++) {
            term *= 2 * z * z / (2 * n + 1);
            sum += term;
        }
        return 2 / ROOT_PI * Math.exp(-z * z) * sum;
    }

    /** {@code exp(−z²)/√π · 1/(z + (1/2)/(z + (2/2)/(z + (3/2)/(z + …))))}, from its innermost term. */
    private static double erfc(double z) {
        double fraction = z;
        for (int n = FRACTION_TERMS; n >= 1; n--) {
            fraction = z + n / 2.0 / fraction;
        }
        return Math.exp(-z * z) / ROOT_PI / fraction;
    }
}
