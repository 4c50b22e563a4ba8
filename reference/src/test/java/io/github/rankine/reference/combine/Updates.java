package io.github.rankine.reference.combine;

import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Random;

/** Updates to combine, and what comes of them by the formulas, in double. */
final class Updates {
    private Updates() {}

    /** One whose ΔW is {@code scaling · rows}: A is the identity. */
    static WeightedUpdate of(Arena arena, double scaling, double weight, float[]... rows) {
        int cols = rows[0].length;
        Tensor a = Tensor.allocate(arena, cols, cols);
        Tensor b = Tensor.allocate(arena, rows.length, cols);
        for (int j = 0; j < cols; j++) {
            a.set(j, j, 1);
            for (int i = 0; i < rows.length; i++) {
                b.set(i, j, rows[i][j]);
            }
        }
        return new WeightedUpdate("m", new LoraWeights(a.asWeight(), b.asWeight()), scaling, weight);
    }

    static WeightedUpdate random(
            Arena arena, Random random, int outputs, int inputs, int rank, double scaling, double weight) {
        Tensor a = gaussian(arena, random, rank, inputs);
        Tensor b = gaussian(arena, random, outputs, rank);
        return new WeightedUpdate("m", new LoraWeights(a.asWeight(), b.asWeight()), scaling, weight);
    }

    private static Tensor gaussian(Arena arena, Random random, int rows, int cols) {
        Tensor tensor = Tensor.allocate(arena, rows, cols);
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < cols; j++) {
                tensor.set(i, j, (float) random.nextGaussian());
            }
        }
        return tensor;
    }

    /** {@code factor · B · A}. */
    static double[][] product(LoraWeights factors, double factor) {
        double[][] product =
                new double[(int) factors.b().rows()][(int) factors.a().cols()];
        for (int i = 0; i < product.length; i++) {
            for (int j = 0; j < product[i].length; j++) {
                for (int k = 0; k < factors.rank(); k++) {
                    product[i][j] +=
                            factor * factors.b().get(i, k) * factors.a().get(k, j);
                }
            }
        }
        return product;
    }

    /** {@code Σ wᵢ · ΔWᵢ}. */
    static double[][] sum(List<WeightedUpdate> updates) {
        double[][] sum = new double[(int) updates.getFirst().rows()]
                [(int) updates.getFirst().cols()];
        for (WeightedUpdate update : updates) {
            double[][] product = product(update.factors(), update.weight() * update.scaling());
            for (int i = 0; i < sum.length; i++) {
                for (int j = 0; j < sum[i].length; j++) {
                    sum[i][j] += product[i][j];
                }
            }
        }
        return sum;
    }
}
