package io.github.rankine.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

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
                long bytes = (long) OUTPUTS * inputs * type.bytes();
                for (int past : BYTES_PAST_A_LINE) {
                    DenseWeight weight = new DenseWeight(
                            type,
                            OUTPUTS,
                            inputs,
                            arena.allocate(bytes + 128, 64).asSlice(past, bytes));
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
}
