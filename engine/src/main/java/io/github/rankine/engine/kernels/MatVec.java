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
    private final RowVector[] vectors = new RowVector[MAX_ROWS];
    private final RowDots[] dots;

    MatVec(Workers workers) {
        this.workers = workers;
        scratch = new float[workers.count()][0];
        dots = new RowDots[workers.count()];
        for (int worker = 0; worker < dots.length; worker++) {
            dots[worker] = new RowDots();
        }
        Arrays.setAll(vectors, _ -> new RowVector());
    }

    /** {@code c[m, n] (+)= alpha · a[m, k] · b[n, k]ᵀ}: a dot product an output. */
    void multiplyTransposed(Tensor a, Operand b, Tensor c, float alpha, boolean accumulate) {
        int m = (int) a.rows();
        int n = Math.toIntExact(c.cols());
        for (int i = 0; i < m; i++) {
            vectors[i].set(a, i, b);
        }
        workers.run((n + OUTPUTS - 1) / OUTPUTS, (task, worker) -> {
            float[] out = rowScratch(worker, OUTPUTS);
            int first = task * OUTPUTS;
            int count = Math.min(OUTPUTS, n - first);
            for (int i = 0; i < m; i++) {
                dots[worker].run(b, first, count, vectors[i], out);
                Elements.writeRow(out, 0, count, c.segment(), c.offset(i, first), alpha, accumulate);
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
