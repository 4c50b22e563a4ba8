package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.KC;
import static io.github.rankine.engine.kernels.MicroKernel.LDA;
import static io.github.rankine.engine.kernels.MicroKernel.MR;
import static io.github.rankine.engine.kernels.MicroKernel.NR;
import static io.github.rankine.engine.kernels.PanelKernel.GROUP;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class TilesTest {
    private static final int DEPTH = 11;
    private static final int TILES = 2000;

    private final float[] a = numbers(2 * MR * LDA + PanelKernel.groupSize(KC));
    private final float[] b = numbers(KC * NR);

    private static float[] numbers(int count) {
        Random random = new Random(1);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    /** {@code start + Σ a[at + k · step] · b[k, col]}, in order. */
    private float sum(float start, int at, int step, int depth, int col) {
        float sum = start;
        for (int k = 0; k < depth; k++) {
            sum = Math.fma(a[at + k * step], b[k * NR + col], sum);
        }
        return sum;
    }

    @Test
    void aTileOfPackedRowsAddsInOrderWhateverItsDepthAndRows() {
        for (int depth = 1; depth <= DEPTH; depth++) {
            for (int rows = 1; rows <= GROUP; rows++) {
                float[] c = numbers((GROUP + 3) * NR);
                float[] before = c.clone();
                PanelKernel.multiply(a, 0, rows, b, 0, depth, c, 0);
                for (int i = 0; i < rows * NR; i++) {
                    assertThat(c[i])
                            .as("depth %s, row %s of %s, column %s", depth, i / NR, rows, i % NR)
                            .isEqualTo(sum(before[i], i / NR, GROUP, depth, i % NR));
                }
            }
        }
    }

    @Test
    void aTileOfRowsApartSumsInOrderWhateverItsDepthAndRows() {
        for (int depth = 1; depth <= DEPTH; depth++) {
            for (int rows = 1; rows <= 2 * MR; rows++) {
                float[] c = numbers(MicroKernel.paddedRows(rows) * NR);
                MicroKernel.multiply(a, 0, rows, b, 0, depth, c, 0, NR);
                for (int i = 0; i < rows * NR; i++) {
                    assertThat(c[i])
                            .as("depth %s, row %s of %s, column %s", depth, i / NR, rows, i % NR)
                            .isEqualTo(sum(0, i / NR * LDA, 1, depth, i % NR));
                }
            }
        }
    }

    /** A tile that comes to one of the compiler's limits keeps its sums on the heap, and is a dozen times slower. */
    @Test
    @Timeout(value = 2, unit = TimeUnit.MINUTES)
    void noSumIsAnObject() {
        float[] c = new float[2 * MR * NR];
        assertThat(Allocation.onceCompiled(TILES, () -> {
                    for (int i = 0; i < TILES; i++) {
                        PanelKernel.multiply(a, 0, GROUP, b, 0, KC, c, 0);
                    }
                }))
                .isLessThan(TILES);
        assertThat(Allocation.onceCompiled(TILES, () -> {
                    for (int i = 0; i < TILES; i++) {
                        MicroKernel.multiply(a, 0, 2 * MR, b, 0, KC, c, 0, NR);
                    }
                }))
                .isLessThan(TILES);
    }
}
