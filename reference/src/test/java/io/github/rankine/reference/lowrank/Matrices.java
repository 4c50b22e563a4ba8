package io.github.rankine.reference.lowrank;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;

/** Matrices that {@code singular_values.py} makes too, element for element. */
final class Matrices {
    private Matrices() {}

    /** SplitMix64 of seed and index, as a number in [−1, 1). */
    static double uniform(long seed, long index) {
        long z = seed * 0x632BE59BD9B4E019L + (index + 1) * 0x9E3779B97F4A7C15L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        z ^= z >>> 31;
        return (z >>> 11) * 0x1p-52 - 1;
    }

    /** {@code random}, or the sum of a number of outer products, each a factor of the one before: {@code sum:terms:factor}. */
    static Tensor of(Arena arena, String kind, int rows, int cols) {
        double[] total = new double[rows * cols];
        if (kind.equals("random")) {
            for (int i = 0; i < total.length; i++) {
                total[i] = uniform(7, i);
            }
        } else {
            String[] parts = kind.split(":");
            double scale = 1;
            for (int k = 0; k < Integer.parseInt(parts[1]); k++) {
                for (int i = 0; i < rows; i++) {
                    double left = uniform(2 * k + 100, i);
                    for (int j = 0; j < cols; j++) {
                        total[i * cols + j] += scale * (left * uniform(2 * k + 101, j));
                    }
                }
                scale *= Double.parseDouble(parts[2]);
            }
        }
        Tensor tensor = Tensor.allocate(arena, rows, cols);
        for (int i = 0; i < total.length; i++) {
            tensor.set(i / cols, i % cols, (float) total[i]);
        }
        return tensor;
    }

    /** {@code Σ valuesᵢ · leftᵢ · rightᵢᵀ}, by rows. */
    static double[][] product(Decomposition svd) {
        double[][] sum = new double[svd.rows()][svd.cols()];
        for (int k = 0; k < svd.values().length; k++) {
            for (int i = 0; i < sum.length; i++) {
                Vectors.addScaled(svd.values()[k] * svd.left()[k][i], svd.right()[k], sum[i]);
            }
        }
        return sum;
    }

    static double norm(double[][] rows) {
        double sum = 0;
        for (double[] row : rows) {
            sum += Vectors.dot(row, row);
        }
        return Math.sqrt(sum);
    }

    /** {@code ‖a − b‖_F}. */
    static double distance(double[][] a, double[][] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            for (int j = 0; j < a[i].length; j++) {
                sum += (a[i][j] - b[i][j]) * (a[i][j] - b[i][j]);
            }
        }
        return Math.sqrt(sum);
    }
}
