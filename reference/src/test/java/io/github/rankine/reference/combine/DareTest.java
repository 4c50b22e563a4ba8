package io.github.rankine.reference.combine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DareTest {
    private static final int ROWS = 60;
    private static final int COLS = 70;

    private final Kernels kernels = KernelsLookup.named("vector", 1);

    @AfterAll
    void close() {
        kernels.close();
    }

    private static WeightedUpdate ones(Arena arena, double weight) {
        float[][] rows = new float[ROWS][COLS];
        for (float[] row : rows) {
            Arrays.fill(row, 1);
        }
        return Updates.of(arena, 2, weight, rows);
    }

    private float[] sum(Arena arena, double density, long seed, WeightedUpdate... updates) {
        Tensor sum = Dare.sum(List.of(updates), density, seed, kernels, arena);
        return sum.toArray();
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.1, 0.5, 0.9})
    void keepsTheShareAndEnlargesItByAsMuch(double density) {
        try (Arena arena = Arena.ofShared()) {
            float[] sum = sum(arena, density, 3, ones(arena, 0.5));
            assertThat(sum).containsOnly(0, (float) (1 / density));
            double kept = 0;
            for (float element : sum) {
                kept += element == 0 ? 0 : 1;
            }
            double deviation = Math.sqrt(density * (1 - density) / sum.length);
            assertThat(kept / sum.length).isCloseTo(density, within(4 * deviation));
        }
    }

    @Test
    void theExpectationIsTheWeightedSum() {
        int trials = 2000;
        double density = 0.4;
        Random random = new Random(5);
        try (Arena arena = Arena.ofShared()) {
            WeightedUpdate[] updates = {
                Updates.random(arena, random, 3, 4, 2, 1.5, 0.7), Updates.random(arena, random, 3, 4, 1, 1, -0.4)
            };
            double[] mean = new double[12];
            for (int seed = 0; seed < trials; seed++) {
                float[] sum = sum(arena, density, seed, updates);
                for (int i = 0; i < mean.length; i++) {
                    mean[i] += sum[i] / trials;
                }
            }
            double[][] expected = Updates.sum(List.of(updates));
            double[][][] parts = {Updates.sum(List.of(updates[0])), Updates.sum(List.of(updates[1]))};
            for (int i = 0; i < mean.length; i++) {
                double squares = 0;
                for (double[][] part : parts) {
                    squares += part[i / 4][i % 4] * part[i / 4][i % 4];
                }
                double deviation = Math.sqrt(squares * (1 - density) / density / trials);
                assertThat(mean[i]).isCloseTo(expected[i / 4][i % 4], within(4.5 * deviation));
            }
        }
    }

    @Test
    void aDensityOfOneIsTheWeightedSum() {
        Random random = new Random(6);
        try (Arena arena = Arena.ofShared()) {
            List<WeightedUpdate> updates = List.of(
                    Updates.random(arena, random, 9, 11, 3, 2, 0.7), Updates.random(arena, random, 9, 11, 2, 1, -0.4));
            double[][] expected = Updates.sum(updates);
            Tensor sum = Dare.sum(updates, 1, 0, kernels, arena);
            for (int i = 0; i < 9; i++) {
                for (int j = 0; j < 11; j++) {
                    assertThat((double) sum.get(i, j)).isCloseTo(expected[i][j], within(1e-5));
                }
            }
        }
    }

    @Test
    void theSeedDecidesAndEachUpdateIsDrawnByItself() {
        try (Arena arena = Arena.ofShared()) {
            float[] one = sum(arena, 0.5, 1, ones(arena, 0.5));
            assertThat(sum(arena, 0.5, 1, ones(arena, 0.5))).isEqualTo(one);
            assertThat(sum(arena, 0.5, 2, ones(arena, 0.5))).isNotEqualTo(one);
            // With one mask for both, each element would be kept of both or of neither.
            assertThat(sum(arena, 0.5, 1, ones(arena, 0.5), ones(arena, 0.5))).contains(0, 2, 4);
        }
    }
}
