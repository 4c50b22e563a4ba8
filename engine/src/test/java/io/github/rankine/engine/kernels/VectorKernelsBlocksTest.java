package io.github.rankine.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Sizes past the limits at which the kernels cut their work, where a wrong offset would show. */
class VectorKernelsBlocksTest {
    private final Arena arena = Arena.ofShared();
    private final Random random = new Random(7);
    private final Kernels kernels = new VectorKernels(2);

    @AfterEach
    void close() {
        kernels.close();
        arena.close();
    }

    private Tensor random(long rows, long cols) {
        float[] values = new float[(int) (rows * cols)];
        for (int i = 0; i < values.length; i++) {
            values[i] = 4 * random.nextFloat() - 2;
        }
        return Tensor.copyOf(arena, rows, cols, values);
    }

    private static double dot(Tensor a, long aRow, Tensor b, long bRow) {
        double sum = 0;
        for (long i = 0; i < a.cols(); i++) {
            sum += (double) a.get(aRow, i) * b.get(bRow, i);
        }
        return sum;
    }

    /** 2,097,152 elements of the shorter side are packed at a time: here half of 1,100 rows or columns, rounded up to whole blocks. */
    @Test
    void productsWhoseShorterSideIsLongerThanAChunk() {
        chunks(1100, 1150);
        chunks(1150, 1100);
    }

    private void chunks(int m, int n) {
        int k = 2048;
        Tensor a = random(m, k);
        Tensor b = random(n, k);
        Tensor c = Tensor.allocate(arena, m, n);
        kernels.matmulNT(a, b.asWeight(), c, 1f, false);
        for (int row : new int[] {0, 47, 48, 549, 550, 575, 576, 577, m - 1}) {
            for (int col : new int[] {0, 31, 32, 549, 550, 575, 576, 577, n - 1}) {
                assertThat((double) c.get(row, col))
                        .as("c[%d, %d]", row, col)
                        .isCloseTo(dot(a, row, b, col), within(1e-3));
            }
        }
        Tensor transposed = Tensor.allocate(arena, k, n);
        for (int row = 0; row < n; row++) {
            for (int col = 0; col < k; col++) {
                transposed.set(col, row, b.get(row, col));
            }
        }
        Tensor d = Tensor.allocate(arena, m, n);
        kernels.matmulNN(a, transposed.asWeight(), d, 1f, false);
        assertThat(d.toArray()).isEqualTo(c.toArray());
    }

    /** 8,192 columns of the wide operand are summed at a time, an eighth of the rows by each task. */
    @Test
    void gradientsOfMatricesThatAreAsWideAsAVocabulary() {
        int k = 530;
        int n = 8200;
        Tensor thin = random(k, 3);
        Tensor wide = random(k, n);
        Tensor c = Tensor.allocate(arena, 3, n);
        Tensor transposed = Tensor.allocate(arena, n, 3);
        kernels.matmulTN(thin, wide, c, 1f, false);
        kernels.matmulTN(wide, thin, transposed, 1f, false);
        for (int col : new int[] {0, 31, 32, 8159, 8160, 8191, 8192, n - 1}) {
            for (int row = 0; row < 3; row++) {
                double expected = 0;
                for (int i = 0; i < k; i++) {
                    expected += (double) thin.get(i, row) * wide.get(i, col);
                }
                assertThat((double) c.get(row, col)).as("c[%d, %d]", row, col).isCloseTo(expected, within(1e-4));
                assertThat(transposed.get(col, row)).isEqualTo(c.get(row, col));
            }
        }
    }

    /** Deeper than what is packed at a time. */
    @Test
    void productsOfMoreDepthThanAChunkHolds() {
        int k = 66_000;
        Tensor a = random(5, k);
        Tensor b = random(33, k);
        Tensor c = Tensor.allocate(arena, 5, 33);
        kernels.matmulNT(a, b.asWeight(), c, 1f, false);
        for (int row = 0; row < 5; row++) {
            for (int col = 0; col < 33; col++) {
                assertThat((double) c.get(row, col)).isCloseTo(dot(a, row, b, col), within(0.02));
            }
        }
    }

    /** A worker packs 96 rows of the left-hand side at a time, again for each chunk of the inner dimension: here five. */
    @Test
    void productsOfMoreRowsThanAWorkerPacks() {
        int k = 8250;
        Tensor a = random(1200, k);
        Tensor b = random(70, k);
        Tensor c = Tensor.allocate(arena, 1200, 70);
        kernels.matmulNT(a, b.asWeight(), c, 1f, false);
        Tensor gradient = Tensor.allocate(arena, 70, 1200);
        Tensor aTransposed = Tensor.allocate(arena, k, 1200);
        Tensor bTransposed = Tensor.allocate(arena, k, 70);
        transpose(a, aTransposed);
        transpose(b, bTransposed);
        kernels.matmulTN(bTransposed, aTransposed, gradient, 1f, false);
        for (int row : new int[] {0, 11, 12, 95, 96, 97, 671, 672, 673, 767, 768, 1151, 1152, 1199}) {
            for (int col : new int[] {0, 31, 32, 63, 64, 69}) {
                double expected = dot(a, row, b, col);
                assertThat((double) c.get(row, col)).as("c[%d, %d]", row, col).isCloseTo(expected, within(5e-3));
                assertThat((double) gradient.get(col, row))
                        .as("gradient[%d, %d]", col, row)
                        .isCloseTo(expected, within(5e-3));
            }
        }
    }

    private static void transpose(Tensor in, Tensor out) {
        for (int row = 0; row < in.rows(); row++) {
            for (int col = 0; col < in.cols(); col++) {
                out.set(col, row, in.get(row, col));
            }
        }
    }

    /** Packed keys of so many sequences exist a part at a time: forward and backward equal those of each sequence alone. */
    @Test
    void attentionOfMoreSequencesThanArePackedAtATime() {
        int sequences = 200;
        int length = 33;
        AttentionShape shape = new AttentionShape(4, 2, 32, 0.2f, 0);
        long rows = (long) sequences * length;
        Tensor q = random(rows, 128);
        Tensor k = random(rows, 64);
        Tensor v = random(rows, 64);
        Tensor dOut = random(rows, 128);
        int[] starts = new int[sequences + 1];
        for (int i = 0; i <= sequences; i++) {
            starts[i] = i * length;
        }
        Results all = attend(q, k, v, dOut, AttentionSpans.ofSequences(starts), shape);
        for (int s : new int[] {0, 1, 59, 60, 61, 100, 117, 118, 119, 150, 199}) {
            long first = starts[s];
            Results one = attend(
                    q.rows(first, length),
                    k.rows(first, length),
                    v.rows(first, length),
                    dOut.rows(first, length),
                    AttentionSpans.ofSequences(new int[] {0, length}),
                    shape);
            assertThat(all.out.rows(first, length).toArray()).isEqualTo(one.out.toArray());
            assertThat(all.dq.rows(first, length).toArray()).isEqualTo(one.dq.toArray());
            assertThat(all.dk.rows(first, length).toArray()).isEqualTo(one.dk.toArray());
            assertThat(all.dv.rows(first, length).toArray()).isEqualTo(one.dv.toArray());
        }
    }

    private record Results(Tensor out, Tensor dq, Tensor dk, Tensor dv) {}

    private Results attend(Tensor q, Tensor k, Tensor v, Tensor dOut, AttentionSpans spans, AttentionShape shape) {
        Tensor out = Tensor.allocate(arena, q.rows(), q.cols());
        Tensor logSumExp = Tensor.allocate(arena, q.rows(), shape.heads());
        kernels.attention(q, k, v, spans, shape, out, logSumExp);
        Results results = new Results(
                out,
                Tensor.allocate(arena, q.rows(), q.cols()),
                Tensor.allocate(arena, k.rows(), k.cols()),
                Tensor.allocate(arena, k.rows(), k.cols()));
        kernels.attentionBackward(q, k, v, spans, shape, out, logSumExp, dOut, results.dq, results.dk, results.dv);
        return results;
    }
}
