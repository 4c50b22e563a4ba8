package io.github.rankine.reference.lowrank;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class FullSvdTest {
    /** kind, rows, columns, singular values by NumPy. */
    static List<String> numpyValues() throws IOException {
        try (InputStream in = FullSvdTest.class.getResourceAsStream("singular_values.txt")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        }
    }

    @ParameterizedTest
    @MethodSource("numpyValues")
    void agreesWithNumPyAndReconstructs(String line) {
        String[] fields = line.split(" ");
        int rows = Integer.parseInt(fields[1]);
        int cols = Integer.parseInt(fields[2]);
        double[] expected = Arrays.stream(fields, 3, fields.length)
                .mapToDouble(Double::parseDouble)
                .toArray();
        try (Arena arena = Arena.ofConfined()) {
            Tensor matrix = Matrices.of(arena, fields[0], rows, cols);
            Decomposition svd = FullSvd.of("m", matrix);
            assertThat(svd.values()).hasSize(Math.min(rows, cols));
            for (int i = 0; i < expected.length; i++) {
                assertThat(svd.values()[i]).isCloseTo(expected[i], within(1e-9 * expected[0]));
            }
            double[][] original = FullSvd.rows("m", matrix);
            assertThat(Matrices.distance(original, Matrices.product(svd)))
                    .isLessThan(1e-12 * Math.sqrt(rows * cols) * expected[0]);
            assertThat(Math.sqrt(svd.squaredNorm())).isCloseTo(Matrices.norm(original), within(1e-9 * expected[0]));
            assertOrthonormal(svd.left(), svd.spectrum().rank());
            assertOrthonormal(svd.right(), svd.spectrum().rank());
        }
    }

    static void assertOrthonormal(double[][] vectors, int count) {
        for (int i = 0; i < count; i++) {
            for (int j = 0; j <= i; j++) {
                assertThat(Vectors.dot(vectors[i], vectors[j])).isCloseTo(i == j ? 1 : 0, within(1e-8));
            }
        }
    }

    @Test
    void aZeroMatrixHasZeroesAndLosesNothing() {
        try (Arena arena = Arena.ofConfined()) {
            Spectrum spectrum = FullSvd.of("m", Tensor.allocate(arena, 7, 5)).spectrum();
            assertThat(spectrum.values()).containsExactly(0, 0, 0, 0, 0);
            assertThat(spectrum.rank()).isZero();
            assertThat(spectrum.effectiveRank()).hasValue(0);
            assertThat(spectrum.stableRank()).isZero();
            assertThat(spectrum.energy(1)).isEqualTo(1);
            assertThat(spectrum.frobeniusError(1)).isZero();
            assertThat(spectrum.spectralError(1)).hasValue(0);
            assertThat(spectrum.rankFor(0.9)).hasValue(0);
        }
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
    void whatIsNotFiniteIsRefusedByName(float value) {
        try (Arena arena = Arena.ofConfined()) {
            Tensor matrix = Tensor.allocate(arena, 3, 4);
            matrix.set(2, 1, value);
            assertThatThrownBy(() -> FullSvd.of("model.layers.0.mlp.up_proj", matrix))
                    .isInstanceOf(RankineException.class)
                    .hasMessageStartingWith("model.layers.0.mlp.up_proj: element [2, 1] is ");
        }
    }

    @Test
    void extremeScalesKeepTheirSpectrum() {
        try (Arena arena = Arena.ofConfined()) {
            Tensor matrix = Matrices.of(arena, "random", 20, 12);
            double[] values = FullSvd.of("m", matrix).values();
            for (float scale : new float[] {1e-38f, 1e-30f, 1e30f, 1e38f}) {
                Tensor scaled = Tensor.allocate(arena, 20, 12);
                for (int i = 0; i < 240; i++) {
                    scaled.set(i / 12, i % 12, matrix.get(i / 12, i % 12) * scale);
                }
                double[] found = FullSvd.of("m", scaled).values();
                for (int i = 0; i < values.length; i++) {
                    assertThat(found[i] / scale).isCloseTo(values[i], within(1e-5 * values[0]));
                }
            }
        }
    }
}
