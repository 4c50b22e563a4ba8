package io.github.rankine.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Products of few rows with weights that begin anywhere in a cache line, as those of checkpoints do. */
class MatVecTest {
    private static final int[] INPUTS = {1, 31, 32, 33, 64, 96, 128, 130, 576, 608};
    private static final int[] BYTES_PAST_A_LINE = {0, 2, 4, 6, 8, 30, 32, 36, 56, 60, 62};
    private static final int OUTPUTS = 37;

    @ParameterizedTest
    @EnumSource(DType.class)
    void aWeightAtAnyAddressGivesItsDotProducts(DType type) {
        Random random = new Random(1);
        try (Arena arena = Arena.ofShared();
                Kernels kernels = KernelsLookup.named("vector", 2)) {
            for (int inputs : INPUTS) {
                for (int past : BYTES_PAST_A_LINE) {
                    DenseWeight weight = weight(arena, type, inputs, past);
                    for (long i = 0; i < weight.size(); i++) {
                        type.write(weight.data(), i, (float) random.nextGaussian());
                    }
                    Tensor x = Tensor.allocate(arena, 2, inputs);
                    for (int i = 0; i < 2 * inputs; i++) {
                        x.set(i / inputs, i % inputs, (float) random.nextGaussian());
                    }
                    Tensor y = Tensor.allocate(arena, 2, OUTPUTS);
                    kernels.matmulNT(x, weight, y, 1, false);
                    for (int row = 0; row < 2; row++) {
                        for (int output = 0; output < OUTPUTS; output++) {
                            double sum = 0;
                            for (int i = 0; i < inputs; i++) {
                                sum += (double) x.get(row, i) * weight.get(output, i);
                            }
                            assertThat((double) y.get(row, output))
                                    .as("%s inputs, %s bytes past a line, row %s, output %s", inputs, past, row, output)
                                    .isCloseTo(sum, within(1e-4));
                        }
                    }
                }
            }
        }
    }

    /** Tasks are cut by the number of outputs and the length of rows: from sixteen outputs to many, whole ones or not. */
    @ParameterizedTest
    @ValueSource(ints = {1, 15, 16, 17, 255, 257, 3072, 5003})
    void everyOutputBelongsToATask(int outputs) {
        try (Arena arena = Arena.ofShared();
                Kernels kernels = KernelsLookup.named("vector", 2)) {
            DenseWeight weight =
                    new DenseWeight(DType.BF16, outputs, 64, arena.allocate(outputs * 64L * DType.BF16.bytes(), 64));
            for (int output = 0; output < outputs; output++) {
                DType.BF16.write(weight.data(), output * 64L + output % 64, output % 251 + 1);
            }
            Tensor x = Tensor.allocate(arena, 1, 64);
            for (int i = 0; i < 64; i++) {
                x.set(0, i, i + 1);
            }
            Tensor y = Tensor.allocate(arena, 1, outputs);
            kernels.matmulNT(x, weight, y, 1, false);
            for (int output = 0; output < outputs; output++) {
                assertThat(y.get(0, output)).as("output %s", output).isEqualTo((output % 64 + 1) * (output % 251 + 1));
            }
        }
    }

    /** Any rows, read side by side or one after another, have the same bits: tasks may be cut by threads and ways chosen by speed. */
    @ParameterizedTest
    @EnumSource(DType.class)
    void rowsHaveTheSameBitsHoweverTheyAreRead(DType type) {
        Random random = new Random(2);
        RowDots dots = new RowDots(RowVector.UNIT);
        try (Arena arena = Arena.ofShared()) {
            for (int inputs : INPUTS) {
                for (int past : BYTES_PAST_A_LINE) {
                    DenseWeight dense = weight(arena, type, inputs, past);
                    MemorySegment data = dense.data();
                    Operand weight = Operand.of(dense);
                    for (long i = 0; i < (long) OUTPUTS * inputs; i++) {
                        type.write(data, i, (float) random.nextGaussian());
                    }
                    Tensor x = Tensor.allocate(arena, 1, inputs);
                    for (int i = 0; i < inputs; i++) {
                        x.set(0, i, (float) random.nextGaussian());
                    }
                    RowVector vector = new RowVector();
                    vector.set(x, 0, weight);
                    float[] all = new float[OUTPUTS + 32];
                    dots.run(weight, 0, OUTPUTS, vector, all, false);
                    for (int first : new int[] {0, 1, OUTPUTS - 18}) {
                        for (int rows : new int[] {1, 3, 4, 7, 16, 18, OUTPUTS - first}) {
                            for (boolean sideBySide : new boolean[] {false, true}) {
                                float[] some = new float[OUTPUTS + 32];
                                dots.run(weight, first, rows, vector, some, sideBySide);
                                assertThat(Arrays.copyOf(some, rows))
                                        .as("%s rows of %s inputs, %s bytes past a line", rows, inputs, past)
                                        .containsExactly(Arrays.copyOfRange(all, first, first + rows));
                            }
                        }
                    }
                }
            }
        }
    }

    /** An infinity meets no more than the weights of its place: neither zeros of masks nor other rows' weights make it NaN. */
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "BF16"})
    void infinitiesStayWhereTheyAre(DType type) {
        RowDots dots = new RowDots(RowVector.UNIT);
        try (Arena arena = Arena.ofShared()) {
            for (int inputs : INPUTS) {
                for (int past : BYTES_PAST_A_LINE) {
                    DenseWeight dense = weight(arena, type, inputs, past);
                    MemorySegment data = dense.data();
                    Operand weight = Operand.of(dense);
                    for (long i = 0; i < (long) OUTPUTS * inputs; i++) {
                        type.write(data, i, 1);
                    }
                    // One row's weights are infinite: its neighbours know nothing of it.
                    for (int i = 0; i < inputs; i++) {
                        type.write(data, 5L * inputs + i, Float.POSITIVE_INFINITY);
                    }
                    for (int place : new int[] {-1, 0, inputs / 2, inputs - 1}) {
                        Tensor x = Tensor.allocate(arena, 1, inputs);
                        for (int i = 0; i < inputs; i++) {
                            x.set(0, i, i == place ? Float.NEGATIVE_INFINITY : 2);
                        }
                        float[] expected = new float[OUTPUTS];
                        for (int output = 0; output < OUTPUTS; output++) {
                            for (int i = 0; i < inputs; i++) {
                                expected[output] += x.get(0, i) * type.read(data, (long) output * inputs + i);
                            }
                        }
                        assertThat(allRows(dots, weight, x))
                                .as("%s inputs, %s bytes past a line, place %s", inputs, past, place)
                                .containsExactly(expected);
                    }
                }
            }
        }
    }

    /** A matrix between others' columns: what lies around its rows, in the same lines, is not counted. */
    @Test
    void rowsWithOthersBetweenThem() {
        RowDots dots = new RowDots(RowVector.UNIT);
        try (Arena arena = Arena.ofShared()) {
            int inputs = 4 * RowVector.UNIT;
            Tensor wide = weight(arena, DType.F32, 2 * inputs, 8).asTensor();
            for (int i = 0; i < OUTPUTS; i++) {
                for (int j = 0; j < 2 * inputs; j++) {
                    wide.set(i, j, (i + j) % 7);
                }
            }
            Tensor x = Tensor.allocate(arena, 1, inputs);
            for (int i = 0; i < inputs; i++) {
                x.set(0, i, i % 5);
            }
            for (int col : new int[] {0, inputs}) {
                Tensor some = wide.cols(col, inputs);
                float[] expected = new float[OUTPUTS];
                for (int output = 0; output < OUTPUTS; output++) {
                    for (int i = 0; i < inputs; i++) {
                        expected[output] += x.get(0, i) * some.get(output, i);
                    }
                }
                assertThat(allRows(dots, Operand.of(some), x)).containsExactly(expected);
            }
        }
    }

    /** {@code [OUTPUTS, inputs]}, that many bytes past a line. */
    private static DenseWeight weight(Arena arena, DType type, int inputs, int past) {
        long bytes = (long) OUTPUTS * inputs * type.bytes();
        MemorySegment data = arena.allocate(bytes + 128, 64).asSlice(past, bytes);
        return new DenseWeight(type, OUTPUTS, inputs, data);
    }

    private static float[] allRows(RowDots dots, Operand weight, Tensor x) {
        RowVector vector = new RowVector();
        vector.set(x, 0, weight);
        float[] out = new float[OUTPUTS + 32];
        dots.run(weight, 0, OUTPUTS, vector, out, true);
        return Arrays.copyOf(out, OUTPUTS);
    }
}
