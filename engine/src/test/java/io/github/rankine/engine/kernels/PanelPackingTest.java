package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.NR;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import java.lang.foreign.Arena;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PanelPackingTest {
    private static final int DEPTH = 70;
    private static final long PANELS = 2000;

    private final PanelPacking packing = new PanelPacking();

    private static DenseWeight weight(Arena arena, DType type, int rows) {
        DenseWeight weight = new DenseWeight(type, rows, DEPTH, arena.allocate((long) rows * DEPTH * type.bytes(), 64));
        Random random = new Random(1);
        for (long i = 0; i < weight.size(); i++) {
            type.write(weight.data(), i, (float) random.nextGaussian());
        }
        return weight;
    }

    /** With and without rows behind the panel's. */
    @ParameterizedTest
    @EnumSource(DType.class)
    void aPanelIsItsRowsTransposed(DType type) {
        try (Arena arena = Arena.ofConfined()) {
            for (int count : new int[] {1, NR - 1, NR}) {
                for (int behind : new int[] {0, NR}) {
                    DenseWeight weight = weight(arena, type, 3 + count + behind);
                    float[] out = new float[NR * DEPTH];
                    packing.panel(Operand.of(weight), 3, count, 1, DEPTH - 1, out, 0);
                    for (int d = 0; d < DEPTH - 1; d++) {
                        for (int row = 0; row < count; row++) {
                            assertThat(out[d * NR + row])
                                    .as("%s rows and %s behind, row %s, column %s", count, behind, row, d)
                                    .isEqualTo(weight.get(3 + row, 1 + d));
                        }
                    }
                }
            }
        }
    }

    /**
     * Vectors become objects where the compiler is not sure whence they come, which it may be until a second type appears: then packing takes
     * several times as long, for good.
     */
    @Test
    @Timeout(value = 2, unit = TimeUnit.MINUTES)
    void noVectorIsAnObjectWhenASecondTypeHasAppeared() {
        try (Arena arena = Arena.ofConfined()) {
            Operand first = Operand.of(weight(arena, DType.F32, NR));
            Operand second = Operand.of(weight(arena, DType.BF16, NR));
            assertThat(allocationOnceCompiled(first, first)).isLessThan(PANELS * NR);
            assertThat(allocationOnceCompiled(first, second)).isLessThan(PANELS * NR);
        }
    }

    private long allocationOnceCompiled(Operand even, Operand odd) {
        float[] out = new float[NR * DEPTH];
        return Allocation.onceCompiled(PANELS * NR, () -> {
            for (int i = 0; i < PANELS; i++) {
                packing.panel(i % 2 == 0 ? even : odd, 0, NR, 0, DEPTH, out, 0);
            }
        });
    }
}
