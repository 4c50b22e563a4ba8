package io.github.rankine.reference;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Memory that lives with the kernels, as a step's does: what they write there they read, and the host sees it when it asks. */
interface MemoryContract extends KernelsUnderTest {
    @Test
    default void freshMemoryIsZeroAndKeepsWhatKernelsWrite() {
        for (Kernels kernels : kernels()) {
            try (Arena arena = Arena.ofConfined()) {
                // Used before by others.
                try (Arena before = Arena.ofConfined()) {
                    Tensor dirty = Tensor.of(kernels.allocate(before, 4L * 35), 5, 7);
                    dirty.set(4, 6, 3);
                    kernels.wrote(dirty.segment());
                }
                Tensor memory = Tensor.of(kernels.allocate(arena, 4L * 35), 5, 7);
                kernels.fetch(memory);
                assertThat(memory.toArray()).containsOnly(0f);
                Tensor ones = Tensor.copyOf(arena, 2, 7, filled(14, 1));
                kernels.copy(ones, memory.rows(1, 2));
                kernels.add(memory.rows(1, 1), memory.rows(2, 1));
                Tensor product = Tensor.of(kernels.allocate(arena, 4L * 10), 5, 2);
                kernels.matmulNT(memory, memory.rows(1, 2).asWeight(), product, 0.5f, false);
                kernels.fetch(product.rows(1, 2));
                assertThat(product.rows(1, 2).toArray()).containsExactly(3.5f, 7, 7, 14);
            }
        }
    }

    @Test
    default void adoptedMemoryIsWhatItWasAndTakesWhatTheHostWrites() {
        for (Kernels kernels : kernels()) {
            try (Arena lasting = Arena.ofConfined()) {
                Tensor weight = Tensor.copyOf(lasting, 1, 3, 1, 2, 3);
                Tensor out = Tensor.allocate(lasting, 1, 1);
                // As a frozen one first.
                kernels.matmulNT(weight, weight.asWeight(), out, 1, false);
                assertThat(out.get(0, 0)).isEqualTo(14);
                try (Arena arena = Arena.ofConfined()) {
                    kernels.adopt(weight.segment(), arena);
                    kernels.adopt(weight.segment(), arena);
                    kernels.scale(weight, 2, weight);
                    kernels.matmulNT(weight, weight.asWeight(), out, 1, false);
                    assertThat(out.get(0, 0)).isEqualTo(56);
                    kernels.fetch(weight);
                    assertThat(weight.toArray()).containsExactly(2, 4, 6);
                    weight.set(0, 0, 1);
                    kernels.wrote(weight.segment());
                    kernels.matmulNT(weight, weight.asWeight(), out, 1, false);
                    assertThat(out.get(0, 0)).isEqualTo(53);
                }
                weight.set(0, 0, 0);
                kernels.wrote(weight.segment());
                kernels.matmulNT(weight, weight.asWeight(), out, 1, false);
                assertThat(out.get(0, 0)).isEqualTo(52);
            }
        }
    }

    /** Calls that the host asks nothing of until the end of a layer, with numbers that change from one to the next. */
    @Test
    default void manyCallsInARowGiveWhatEachWould() {
        for (Kernels kernels : kernels()) {
            try (Arena arena = Arena.ofConfined()) {
                Tensor x = Tensor.of(kernels.allocate(arena, 4L * 6), 2, 3);
                Tensor table = Tensor.copyOf(arena, 4, 3, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3);
                int[] ids = {3, 1};
                float[] expected = new float[2];
                for (int i = 0; i < 40; i++) {
                    kernels.mark();
                    kernels.scale(x, 0.5f, x);
                    kernels.embedding(ids, table.asWeight(), x, true);
                    for (int row = 0; row < 2; row++) {
                        expected[row] = expected[row] * 0.5f + ids[row];
                    }
                    if (i == 20) {
                        // The same array with other numbers.
                        ids[0] = 2;
                    }
                }
                kernels.finish();
                kernels.fetch(x);
                assertThat(x.toArray())
                        .containsExactly(expected[0], expected[0], expected[0], expected[1], expected[1], expected[1]);
            }
        }
    }

    private static float[] filled(int count, float value) {
        float[] values = new float[count];
        Arrays.fill(values, value);
        return values;
    }
}
