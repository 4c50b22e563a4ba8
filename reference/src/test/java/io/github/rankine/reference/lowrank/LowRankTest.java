package io.github.rankine.reference.lowrank;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class LowRankTest {
    private static final double SCALING = 1.75;

    private final Kernels kernels = KernelsLookup.named("vector", 2);

    @AfterAll
    void close() {
        kernels.close();
    }

    private static LoraWeights factors(Arena arena, int outputs, int inputs, int rank) {
        Tensor a = Matrices.of(arena, "random", rank, inputs);
        Tensor b = Tensor.allocate(arena, outputs, rank);
        for (int i = 0; i < outputs; i++) {
            for (int j = 0; j < rank; j++) {
                b.set(i, j, (float) Matrices.uniform(9, i * rank + j));
            }
        }
        return new LoraWeights(a.asWeight(), b.asWeight());
    }

    /** {@code scaling · B · A}, formed. */
    private static Tensor update(Arena arena, LoraWeights factors) {
        Tensor update = Tensor.allocate(arena, factors.b().rows(), factors.a().cols());
        for (int i = 0; i < update.rows(); i++) {
            for (int j = 0; j < update.cols(); j++) {
                double sum = 0;
                for (int k = 0; k < factors.rank(); k++) {
                    sum += (double) factors.b().get(i, k) * factors.a().get(k, j);
                }
                update.set(i, j, (float) (SCALING * sum));
            }
        }
        return update;
    }

    @ParameterizedTest
    @CsvSource({"40, 60, 8", "60, 40, 1", "50, 50, 16", "12, 90, 12", "1, 30, 4", "30, 1, 4", "9, 7, 20"})
    void anAdaptersUpdateIsDecomposedWithoutFormingIt(int outputs, int inputs, int rank) {
        try (Arena arena = Arena.ofShared()) {
            LoraWeights factors = factors(arena, outputs, inputs, rank);
            Decomposition found = LowRank.decompose("m", factors, SCALING);
            Tensor formed = update(arena, factors);
            Decomposition full = FullSvd.of("m", formed);
            int kept = Math.min(rank, Math.min(outputs, inputs));
            assertThat(found.values()).hasSize(kept);
            for (int i = 0; i < kept; i++) {
                assertThat(found.values()[i]).isCloseTo(full.values()[i], within(1e-6 * full.values()[0]));
            }
            assertThat(found.spectrum().rank()).isEqualTo(kept);
            assertThat(Matrices.distance(Matrices.product(found), FullSvd.rows("m", formed)))
                    .isLessThan(1e-6 * Math.sqrt(full.squaredNorm()));
            assertThat(found.squaredNorm()).isCloseTo(full.squaredNorm(), within(1e-6 * full.squaredNorm()));
        }
    }

    @Test
    void anAdapterThatHasNotLearnedYetHasRankZero() {
        try (Arena arena = Arena.ofShared()) {
            LoraWeights fresh = new LoraWeights(
                    factors(arena, 20, 30, 4).a(), Tensor.allocate(arena, 20, 4).asWeight());
            Decomposition found = LowRank.decompose("m", fresh, SCALING);
            assertThat(found.spectrum().rank()).isZero();
            assertThat(LowRank.amplification(
                            found, Tensor.allocate(arena, 20, 30).asWeight(), false, kernels))
                    .isZero();
        }
    }

    @Test
    void aFactorWithNaNIsRefusedByName() {
        try (Arena arena = Arena.ofShared()) {
            LoraWeights factors = factors(arena, 20, 30, 4);
            factors.b().asTensor().set(3, 2, Float.NaN);
            assertThatThrownBy(() -> LowRank.decompose("model.layers.3.mlp.up_proj", factors, SCALING))
                    .isInstanceOf(RankineException.class)
                    .hasMessageStartingWith("model.layers.3.mlp.up_proj.lora_B.weight: element [3, 2] is NaN");
        }
    }

    /** By the formula, over matrices that are formed. */
    @Test
    void amplification() {
        try (Arena arena = Arena.ofShared()) {
            Decomposition update = LowRank.decompose("m", factors(arena, 40, 60, 5), SCALING);
            Tensor base = Matrices.of(arena, "sum:30:0.9", 40, 60);
            Tensor stored = Tensor.allocate(arena, 60, 40);
            double projected = 0;
            for (int i = 0; i < 40; i++) {
                for (int j = 0; j < 60; j++) {
                    stored.set(j, i, base.get(i, j));
                }
            }
            for (double[] u : update.left()) {
                for (double[] v : update.right()) {
                    double sum = 0;
                    for (int i = 0; i < 40; i++) {
                        for (int j = 0; j < 60; j++) {
                            sum += u[i] * base.get(i, j) * v[j];
                        }
                    }
                    projected += sum * sum;
                }
            }
            double expected = Math.sqrt(update.squaredNorm() / projected);
            assertThat(LowRank.amplification(update, base.asWeight(), false, kernels))
                    .isCloseTo(expected, within(1e-4 * expected));
            assertThat(LowRank.amplification(update, stored.asWeight(), true, kernels))
                    .isCloseTo(expected, within(1e-4 * expected));
        }
    }

    @Test
    void similarityOfASubspaceWithItselfAndWithAnOrthogonalOne() {
        double[][] e = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
        Decomposition first = vectors(e[0], e[1]);
        assertThat(LowRank.similarity(first, first)[1][1]).isEqualTo(1);
        assertThat(LowRank.similarity(first, vectors(e[1], e[0]))).isEqualTo(new double[][] {{0, 1}, {1, 1}});
        assertThat(LowRank.similarity(first, vectors(e[2], e[3]))).isEqualTo(new double[][] {{0, 0}, {0, 0}});
        double[] between = {Math.sqrt(0.5), 0, Math.sqrt(0.5), 0};
        assertThat(LowRank.similarity(vectors(between), first)[0][0]).isCloseTo(0.5, within(1e-12));
    }

    @Test
    void intrudersAreVectorsWithoutACounterpart() {
        double[][] e = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
        double[] near = {0.9, Math.sqrt(1 - 0.81), 0, 0};
        Decomposition before = vectors(e[0], e[1], e[2]);
        assertThat(LowRank.intruders(before, vectors(e[1], new double[] {-1, 0, 0, 0}), 0.6))
                .isZero();
        assertThat(LowRank.intruders(before, vectors(near, e[3]), 0.6)).isEqualTo(1);
        assertThat(LowRank.intruders(before, vectors(near, e[3]), 0.95)).isEqualTo(2);
    }

    private static Decomposition vectors(double[]... vectors) {
        double[] values = new double[vectors.length];
        Arrays.fill(values, 1);
        return new Decomposition(4, 4, values, vectors, vectors, vectors.length, 0);
    }

    /** A matrix too large for a full decomposition goes the other way, and says so by its residual. */
    @Test
    void sizeDecidesTheWay() {
        try (Arena arena = Arena.ofShared()) {
            Decomposition small = LowRank.decompose("m", Matrices.of(arena, "sum:3:0.5", 60, 50), 4, kernels);
            assertThat(small.spectrum().isComplete()).isTrue();
            assertThat(small.residual()).isZero();
            int side = LowRank.FULL_UP_TO + 1;
            Decomposition large = LowRank.decompose("m", Matrices.of(arena, "sum:3:0.5", side, side), 4, kernels);
            assertThat(large.values()).hasSize(4);
            assertThat(large.spectrum().rank()).isEqualTo(3);
            assertThat(large.residual()).isPositive();
        }
    }

    /** A few values are sampled, more of them are found with all the others. */
    @Test
    void whereAFewValuesAreEnoughTheyAreSampled() {
        try (Arena arena = Arena.ofShared()) {
            Tensor matrix = Matrices.of(arena, "sum:60:0.7", 60, 80);
            double[] all = FullSvd.of("m", matrix).values();
            Decomposition few = LowRank.largest("m", matrix, 15, kernels);
            assertThat(few.values()).hasSize(15);
            assertThat(few.residual()).isPositive();
            for (int i = 0; i < 15; i++) {
                assertThat(few.values()[i]).isCloseTo(all[i], within(1e-5 * all[0]));
            }
            Decomposition more = LowRank.largest("m", matrix, 16, kernels);
            assertThat(more.values()).containsExactly(all);
            assertThat(more.residual()).isZero();
        }
    }
}
