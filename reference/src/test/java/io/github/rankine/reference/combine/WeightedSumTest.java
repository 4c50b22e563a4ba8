package io.github.rankine.reference.combine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.reference.lowrank.Decomposition;
import io.github.rankine.reference.lowrank.LowRank;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class WeightedSumTest {
    @Property(tries = 60)
    void isTheSumOfTheUpdatesAndItsRankTheSumOfTheRanks(
            @ForAll @IntRange(min = 1, max = 20) int outputs,
            @ForAll @IntRange(min = 1, max = 20) int inputs,
            @ForAll @IntRange(min = 1, max = 6) int firstRank,
            @ForAll @IntRange(min = 1, max = 6) int secondRank,
            @ForAll @DoubleRange(min = -2, max = 2) double weight,
            @ForAll long seed) {
        Random random = new Random(seed);
        try (Arena arena = Arena.ofShared()) {
            List<WeightedUpdate> updates = List.of(
                    Updates.random(arena, random, outputs, inputs, firstRank, 2, weight),
                    Updates.random(arena, random, outputs, inputs, secondRank, 1 / Math.sqrt(3), 0.3),
                    Updates.random(arena, random, outputs, inputs, 1, 0.5, -1));
            LoraWeights sum = WeightedSum.of(updates, arena);
            assertThat(sum.rank()).isEqualTo(firstRank + secondRank + 1);
            double[][] expected = Updates.sum(updates);
            double[][] actual = Updates.product(sum, 1);
            for (int i = 0; i < outputs; i++) {
                assertThat(actual[i]).containsExactly(expected[i], within(2e-5));
            }
        }
    }

    /** The best approximation of a rank loses the singular values that it leaves out (Eckart and Young 1936), and no more. */
    @Test
    void cutToARankItLosesWhatItsSpectrumSays() {
        Random random = new Random(1);
        try (Arena arena = Arena.ofShared()) {
            List<WeightedUpdate> updates = List.of(
                    Updates.random(arena, random, 30, 40, 8, 2, 0.7),
                    Updates.random(arena, random, 30, 40, 4, 1.5, -0.3));
            Decomposition whole = LowRank.decompose("m", WeightedSum.of(updates, arena), 1);
            double[][] sum = Updates.sum(updates);
            for (int rank : new int[] {1, 5, 11, 12}) {
                Decomposition cut = whole.truncated(rank);
                double all = 0;
                double lost = 0;
                for (int i = 0; i < sum.length; i++) {
                    for (int j = 0; j < sum[i].length; j++) {
                        double kept = 0;
                        for (int k = 0; k < rank; k++) {
                            kept += cut.values()[k] * cut.left()[k][i] * cut.right()[k][j];
                        }
                        all += sum[i][j] * sum[i][j];
                        lost += (sum[i][j] - kept) * (sum[i][j] - kept);
                    }
                }
                assertThat(cut.spectrum().frobeniusError(rank)).isCloseTo(Math.sqrt(lost / all), within(1e-6));
            }
        }
    }

    @Test
    void whatIsNotFiniteIsRefusedByName() {
        try (Arena arena = Arena.ofShared()) {
            WeightedUpdate sound = Updates.of(arena, 1, 1, new float[] {1, 2});
            for (float element : new float[] {Float.NaN, Float.NEGATIVE_INFINITY}) {
                WeightedUpdate broken = Updates.of(arena, 1, 1, new float[] {1, element});
                assertThatThrownBy(() -> WeightedSum.of(List.of(sound, broken), arena))
                        .isInstanceOf(RankineException.class)
                        .hasMessageStartingWith("m.lora_B.weight: element [0, 1] is " + element);
            }
            WeightedUpdate large = Updates.of(arena, 10, 1e38, new float[] {1, 2});
            assertThatThrownBy(() -> WeightedSum.of(List.of(sound, large), arena))
                    .isInstanceOf(RankineException.class)
                    .hasMessageStartingWith("m.lora_B.weight: element [0, 0] times 1.0E39 is more than float32 holds");
        }
    }
}
