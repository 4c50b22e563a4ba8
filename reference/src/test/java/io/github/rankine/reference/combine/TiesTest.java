package io.github.rankine.reference.combine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TiesTest {
    private final Kernels kernels = KernelsLookup.named("vector", 1);

    @AfterAll
    void close() {
        kernels.close();
    }

    private float[] merge(Arena arena, double density, WeightedUpdate... updates) {
        Tensor merged = Ties.merge(List.of(updates), density, kernels, arena);
        return merged.toArray();
    }

    /**
     * By hand. Half of six elements is three, of the first 4, −3 and 2 (scaled: 8, −6, 4), of the second −5, 3 and −1.5, of the third 7, −6 and 2.5.
     *
     * <pre>
     *   trimmed     8    0   −6    4    0    0        weight 0.5
     *              −5    3    0 −1.5    0    0        weight 1
     *               0    0   −6    7    0  2.5        weight 2
     *   elected     +    +    −    +         +
     *   merged      4    3   (−3 − 12)/2   (2 + 14)/2   0   5
     * </pre>
     */
    @Test
    void trimsElectsAndMerges() {
        try (Arena arena = Arena.ofShared()) {
            assertThat(merge(
                            arena,
                            0.5,
                            Updates.of(arena, 2, 0.5, new float[] {4, 0.5f, -3}, new float[] {2, 1, -1.5f}),
                            Updates.of(arena, 1, 1, new float[] {-5, 3, 1}, new float[] {-1.5f, 0.25f, 0}),
                            Updates.of(arena, 1, 2, new float[] {1, -1, -6}, new float[] {7, 2, 2.5f})))
                    .containsExactly(4, 3, -7.5f, 8, 0, 5);
        }
    }

    /** PEFT multiplies by the weights after the election, and counts an adapter of weight zero among those that agree. */
    @Test
    void weightsDecideNeitherWhatIsTrimmedNorWhichSignWins() {
        try (Arena arena = Arena.ofShared()) {
            assertThat(merge(
                            arena,
                            0.5,
                            Updates.of(arena, 1, -1, new float[] {4, -3, 1, 0}),
                            Updates.of(arena, 1, 10, new float[] {-2, -1, 0, 0.5f}),
                            Updates.of(arena, 1, 0, new float[] {3, 0, 0, 9})))
                    .containsExactly(-2, -3.5f, 0, 0);
        }
    }

    @Test
    void aTotalOfZeroIsPositiveAndADensityOfOneTrimsNothing() {
        try (Arena arena = Arena.ofShared()) {
            assertThat(merge(
                            arena,
                            1,
                            Updates.of(arena, 1, 1, new float[] {2, 0.125f, 0}),
                            Updates.of(arena, 1, 1, new float[] {-2, 0.375f, 0})))
                    .containsExactly(2, 0.25f, 0);
        }
    }

    /** As PEFT does: the share of the elements is rounded down. */
    @Test
    void aDensityThatLeavesNoElementLeavesNothing() {
        try (Arena arena = Arena.ofShared()) {
            assertThat(merge(
                            arena,
                            0.3,
                            Updates.of(arena, 1, 1, new float[] {1, 2, 3}),
                            Updates.of(arena, 1, 1, new float[] {1, 2, 3})))
                    .containsOnly(0);
        }
    }

    /** It would have neither sign and go unseen. */
    @Test
    void notANumberIsRefused() {
        try (Arena arena = Arena.ofShared()) {
            assertThatThrownBy(() -> merge(
                            arena,
                            0.5,
                            Updates.of(arena, 1, 1, new float[] {1, 2}),
                            Updates.of(arena, 1, 1, new float[] {Float.NaN, 2})))
                    .isInstanceOf(RankineException.class)
                    .hasMessageContaining("m.lora_B.weight: element [0, 0] is NaN");
        }
    }
}
