package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Tensor;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Products of a few rows, as in generation: every weight is read once and used at once, so nothing is packed and memory
 * sets the pace.
 */
final class MatVec {
    /** Up to this many rows, reading the weight costs more than the arithmetic. */
    static final int MAX_ROWS = 4;

    private static final int OUTPUTS = 32;
    private static final int COLUMNS = 512;

    private final Workers workers;
    private float[] x = new float[0];
    private final float[][] scratch;

    MatVec(Workers workers) {
        this.workers = workers;
        scratch = new float[workers.count()][0];
    }

    /** {@code c[m, n] (+)= alpha · a[m, k] · b[n, k]ᵀ}: a dot product an output. */
    void multiplyTransposed(Tensor a, Operand b, Tensor c, float alpha, boolean accumulate) {
        int m = (int) a.rows();
        int k = Math.toIntExact(a.cols());
        int n = Math.toIntExact(c.cols());
        copyRows(a, m, k);
        workers.run((n + OUTPUTS - 1) / OUTPUTS, (task, worker) -> {
            float[] row = rowScratch(worker, k);
            for (int j = task * OUTPUTS; j < Math.min(n, (task + 1) * OUTPUTS); j++) {
                boolean unpack = b.type() == DType.F16;
                if (unpack) {
                    b.read(j, 0, row, 0, k);
                }
                for (int i = 0; i < m; i++) {
                    float dot = unpack
                            ? dot(row, x, i * k, k)
                            : Unpack.dot(b.type(), b.data(), j * b.stride(), x, i * k, k);
                    long at = c.offset(i, j);
                    Elements.set(
                            c.segment(), at, accumulate ? Elements.get(c.segment(), at) + alpha * dot : alpha * dot);
                }
            }
        });
    }

    /** {@code c[m, n] (+)= alpha · a[m, k] · b[k, n]}: rows of {@code b} added up, a block of columns a task. */
    void multiply(Tensor a, Operand b, Tensor c, float alpha, boolean accumulate) {
        int m = (int) a.rows();
        int k = Math.toIntExact(a.cols());
        int n = Math.toIntExact(c.cols());
        copyRows(a, m, k);
        workers.run((n + COLUMNS - 1) / COLUMNS, (task, worker) -> {
            float[] sums = rowScratch(worker, (m + 1) * COLUMNS);
            Arrays.fill(sums, 0, m * COLUMNS, 0f);
            int col = task * COLUMNS;
            int width = Math.min(COLUMNS, n - col);
            for (int d = 0; d < k; d++) {
                b.read(d, col, sums, m * COLUMNS, width);
                for (int i = 0; i < m; i++) {
                    addScaled(x[i * k + d], sums, m * COLUMNS, sums, i * COLUMNS, width);
                }
            }
            for (int i = 0; i < m; i++) {
                Elements.writeRow(sums, i * COLUMNS, width, c.segment(), c.offset(i, col), alpha, accumulate);
            }
        });
    }

    private void copyRows(Tensor a, int m, int k) {
        if (x.length < m * k) {
            x = new float[m * k];
        }
        for (int i = 0; i < m; i++) {
            Unpack.row(DType.F32, a.segment(), i * a.stride(), x, i * k, k);
        }
    }

    private float[] rowScratch(int worker, int size) {
        if (scratch[worker].length < size) {
            scratch[worker] = new float[size];
        }
        return scratch[worker];
    }

    private static float dot(float[] row, float[] x, int offset, int count) {
        FloatVector sum = FloatVector.zero(SPECIES);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            sum = FloatVector.fromArray(SPECIES, row, i).fma(FloatVector.fromArray(SPECIES, x, offset + i), sum);
        }
        float total = VectorMath.sum(sum);
        for (; i < count; i++) {
            total = Math.fma(row[i], x[offset + i], total);
        }
        return total;
    }

    private static void addScaled(float factor, float[] in, int from, float[] out, int to, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector.fromArray(SPECIES, in, from + i)
                    .fma(FloatVector.broadcast(SPECIES, factor), FloatVector.fromArray(SPECIES, out, to + i))
                    .intoArray(out, to + i);
        }
        for (; i < count; i++) {
            out[to + i] = Math.fma(factor, in[from + i], out[to + i]);
        }
    }
}
