package io.github.rankine.reference.lowrank;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SpectrumTest {
    private static final Spectrum FOUR_TWO_TWO_ONE = new Spectrum(new double[] {4, 2, 2, 1}, 25, 4, 9, 0);

    @Test
    void energyAndErrorsByTheFormulas() {
        assertThat(FOUR_TWO_TWO_ONE.energies()).containsExactly(16 / 25.0, 20 / 25.0, 24 / 25.0, 1);
        assertThat(FOUR_TWO_TWO_ONE.energy(0)).isZero();
        assertThat(FOUR_TWO_TWO_ONE.energy(3)).isEqualTo(0.96);
        assertThat(FOUR_TWO_TWO_ONE.energy(9)).isEqualTo(1);
        assertThat(FOUR_TWO_TWO_ONE.frobeniusError(2)).isCloseTo(Math.sqrt(5 / 25.0), within(1e-12));
        assertThat(FOUR_TWO_TWO_ONE.spectralError(1)).hasValue(0.5);
        assertThat(FOUR_TWO_TWO_ONE.spectralError(4)).hasValue(0);
        assertThat(FOUR_TWO_TWO_ONE.stableRank()).isEqualTo(25 / 16.0);
    }

    @Test
    void theRankForAnEnergyIsTheSmallest() {
        assertThat(FOUR_TWO_TWO_ONE.rankFor(0.64)).hasValue(1);
        assertThat(FOUR_TWO_TWO_ONE.rankFor(0.6401)).hasValue(2);
        assertThat(FOUR_TWO_TWO_ONE.rankFor(0.9)).hasValue(3);
        assertThat(FOUR_TWO_TWO_ONE.rankFor(1)).hasValue(4);
        assertThatThrownBy(() -> FOUR_TWO_TWO_ONE.rankFor(0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> FOUR_TWO_TWO_ONE.rankFor(Double.NaN)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void effectiveRankIsThatOfEqualValuesAndLessForUnequalOnes() {
        assertThat(new Spectrum(new double[] {3, 3, 3, 0, 0}, 27, 5, 5, 0)
                        .effectiveRank()
                        .getAsDouble())
                .isCloseTo(3, within(1e-12));
        double h = -(4 / 9.0 * Math.log(4 / 9.0) + 2 * 2 / 9.0 * Math.log(2 / 9.0) + 1 / 9.0 * Math.log(1 / 9.0));
        assertThat(FOUR_TWO_TWO_ONE.effectiveRank().getAsDouble()).isCloseTo(Math.exp(h), within(1e-12));
    }

    @Test
    void whatTheFirstValuesDoNotTellIsLeftOpen() {
        Spectrum first = new Spectrum(new double[] {4, 2}, 25, 4, 9, 0);
        assertThat(first.isComplete()).isFalse();
        assertThat(first.energy(2)).isEqualTo(0.8);
        assertThat(first.effectiveRank()).isEmpty();
        assertThat(first.rankFor(0.8)).hasValue(2);
        assertThat(first.rankFor(0.81)).isEmpty();
        assertThat(first.spectralError(1)).hasValue(0.5);
        assertThat(first.spectralError(2)).isEmpty();
    }

    /** Products in float32 may find a little more energy than there is; that is not all of the values. */
    @Test
    void valuesFoundByChanceAreNeverAllOfThem() {
        assertThat(new Spectrum(new double[] {4, 3}, 24.9999, 4, 9, 0.01).isComplete())
                .isFalse();
        assertThat(new Spectrum(new double[] {4, 3}, 25, 4, 9, 0).isComplete()).isTrue();
    }

    /** Eckart and Young: what the formulas say is lost is what is lost. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 7, 30})
    void errorsAreThoseOfTheMatricesThemselves(int rank) {
        try (Arena arena = Arena.ofConfined()) {
            Tensor matrix = Matrices.of(arena, "random", 45, 30);
            double[][] rows = FullSvd.rows("m", matrix);
            Decomposition svd = FullSvd.of("m", matrix);
            double[][] kept = Matrices.product(svd.truncated(rank));
            assertThat(svd.spectrum().frobeniusError(rank))
                    .isCloseTo(Matrices.distance(rows, kept) / Matrices.norm(rows), within(1e-7));
            Tensor lost = Tensor.allocate(arena, 45, 30);
            for (int i = 0; i < 45; i++) {
                for (int j = 0; j < 30; j++) {
                    lost.set(i, j, (float) (rows[i][j] - kept[i][j]));
                }
            }
            assertThat(svd.spectrum().spectralError(rank).getAsDouble())
                    .isCloseTo(FullSvd.of("lost", lost).values()[0] / svd.values()[0], within(1e-6));
        }
    }
}
