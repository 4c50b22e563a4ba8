package io.github.rankine.reference.lowrank;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RandomizedSvdTest {
    private final Kernels kernels = KernelsLookup.named("vector", 2);

    @AfterAll
    void close() {
        kernels.close();
    }

    @ParameterizedTest
    @CsvSource({
        "sum:60:0.7, 300, 200, 20",
        "sum:200:0.9, 150, 400, 40",
        "sum:5:1, 400, 120, 10",
        "sum:8:0.5, 1500, 1100, 16",
        "sum:3:0.5, 20, 15, 15"
    })
    void decayingSpectraAreThoseOfTheFullDecomposition(String kind, int rows, int cols, int count) {
        try (Arena arena = Arena.ofShared()) {
            Tensor matrix = Matrices.of(arena, kind, rows, cols);
            Decomposition found = RandomizedSvd.of("m", matrix, count, kernels);
            assertThat(found.values()).hasSize(count);
            if (Math.min(rows, cols) <= 400) {
                Decomposition full = FullSvd.of("m", matrix);
                for (int i = 0; i < count; i++) {
                    assertThat(found.values()[i]).isCloseTo(full.values()[i], within(1e-4 * full.values()[0]));
                }
            }
            double[][] product = Matrices.product(found);
            double[][] original = FullSvd.rows("m", matrix);
            assertThat(Matrices.distance(original, product))
                    .isLessThan(1.01
                                    * Math.sqrt(found.squaredNorm())
                                    * found.spectrum().frobeniusError(count)
                            + 1e-4 * found.values()[0]);
            FullSvdTest.assertOrthonormal(found.right(), found.spectrum().rank());
        }
    }

    /** Nothing decays here: what is found is approximate, and the bound says how much so. */
    @Test
    void theBoundHoldsForAFlatSpectrum() {
        try (Arena arena = Arena.ofShared()) {
            Tensor matrix = Matrices.of(arena, "random", 300, 250);
            Decomposition found = RandomizedSvd.of("m", matrix, 20, kernels);
            Decomposition full = FullSvd.of("m", matrix);
            for (int i = 0; i < 20; i++) {
                assertThat(found.values()[i]).isLessThanOrEqualTo(full.values()[i] * (1 + 1e-6));
                assertThat(full.values()[i] - found.values()[i])
                        .isLessThanOrEqualTo(found.spectrum().errorBound());
            }
            // Of what was left out nothing is larger, and the bound is not an idle one.
            assertThat(found.residual()).isBetween(full.values()[30], 2 * full.values()[0]);
            assertThat(found.spectrum().energy(20)).isCloseTo(full.spectrum().energy(20), within(0.02));
        }
    }

    @Test
    void aSpectrumThatIsFoundWholeLeavesNoResidual() {
        try (Arena arena = Arena.ofShared()) {
            Decomposition found = RandomizedSvd.of("m", Matrices.of(arena, "sum:5:1", 400, 120), 10, kernels);
            assertThat(found.residual()).isLessThan(1e-4 * found.values()[0]);
            assertThat(found.spectrum().rank()).isEqualTo(5);
        }
    }

    @Test
    void aZeroMatrixAndNaN() {
        try (Arena arena = Arena.ofShared()) {
            Tensor matrix = Tensor.allocate(arena, 60, 50);
            assertThat(RandomizedSvd.of("m", matrix, 3, kernels).values()).containsExactly(0, 0, 0);
            matrix.set(59, 1, Float.NaN);
            assertThatThrownBy(() -> RandomizedSvd.of("lm_head", matrix, 3, kernels))
                    .isInstanceOf(RankineException.class)
                    .hasMessageStartingWith("lm_head: element [59, 1] is NaN");
        }
    }
}
