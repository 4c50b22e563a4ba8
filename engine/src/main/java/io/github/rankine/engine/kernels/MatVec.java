package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdk.incubator.vector.FloatVector;

/**
 * Products of a few rows, as in generation: every weight is read once and used at once, so nothing is packed and memory
 * sets the pace.
 */
final class MatVec {
    /**
     * Tasks of a call for each thread, or about: more of them end more evenly, but each begins with a microsecond in which memory has
     * yet to come to its pace.
     */
    private static final int TASKS = 2;
    /** Or a task has about this many weights, if those are fewer: long enough a stream for a processor to come to full pace. */
    private static final int WEIGHTS = 1 << 17;
    /** Outputs of a task are a multiple of this, for sums are added up in whole vectors. */
    private static final int OUTPUTS = 16;
    /** Weights that are enough to tell how fast memory is read. */
    private static final long TELLING = 1 << 17;

    private static final int COLUMNS = 512;

    private final Workers workers;
    private float[] x = new float[0];
    private final float[][] scratch;
    private final RowDots[] dots;
    private final TaskTable tasks = new TaskTable();
    /** The second way is to read rows side by side. */
    private final FasterWay ways = new FasterWay(TELLING);
    /** For each weight of a call FEW_ROWS rows. */
    private final List<RowVector[]> vectors = new ArrayList<>();

    MatVec(Workers workers) {
        this.workers = workers;
        scratch = new float[workers.count()][0];
        dots = new RowDots[workers.count()];
        for (int worker = 0; worker < dots.length; worker++) {
            dots[worker] = new RowDots(RowVector.UNIT);
        }
    }

    /** {@code cs[i] (+)= alpha · a[m, k] · bs[i]ᵀ}: a dot product an output. */
    void multiplyTransposed(Tensor a, List<Operand> bs, List<Tensor> cs, float alpha, boolean accumulate) {
        int m = (int) a.rows();
        long all = 0;
        for (Tensor c : cs) {
            all += c.cols();
        }
        int outputs = taskOutputs(all, a.cols());
        tasks.clear();
        for (Tensor c : cs) {
            tasks.add(Math.toIntExact(Math.ceilDiv(c.cols(), (long) outputs)));
        }
        RowVector[][] rows = arranged(a, bs);
        boolean sideBySide = ways.second();
        long start = System.nanoTime();
        workers.run(tasks.total(), (task, worker) -> {
            int item = tasks.item(task);
            Tensor c = cs.get(item);
            float[] out = rowScratch(worker, outputs);
            int first = tasks.local(item, task) * outputs;
            int count = Math.min(outputs, (int) c.cols() - first);
            for (int i = 0; i < m; i++) {
                dots[worker].run(bs.get(item), first, count, rows[item][i], out, sideBySide);
                Elements.writeRow(out, 0, count, c.segment(), c.offset(i, first), alpha, accumulate);
            }
        });
        ways.took(sideBySide, all * a.cols(), System.nanoTime() - start);
    }

    /** Outputs of a task, of {@code all} that a call has. */
    private int taskOutputs(long all, long inputs) {
        long outputs = Math.min(Math.ceilDiv(all, (long) TASKS * workers.count()), WEIGHTS / inputs);
        return Math.toIntExact(Math.max(1, Math.ceilDiv(outputs, (long) OUTPUTS)) * OUTPUTS);
    }

    /** The rows of {@code a} as each weight wants them; weights that lie alike share them. */
    private RowVector[][] arranged(Tensor a, List<Operand> bs) {
        RowVector[][] rows = new RowVector[bs.size()][];
        for (int w = 0; w < rows.length; w++) {
            for (int before = 0; before < w && rows[w] == null; before++) {
                if (RowVector.areAlike(bs.get(before), bs.get(w))) {
                    rows[w] = rows[before];
                }
            }
            if (rows[w] == null) {
                rows[w] = vectors(w);
                for (int i = 0; i < a.rows(); i++) {
                    rows[w][i].set(a, i, bs.get(w));
                }
            }
        }
        return rows;
    }

    private RowVector[] vectors(int weight) {
        while (vectors.size() <= weight) {
            RowVector[] fresh = new RowVector[Kernels.FEW_ROWS];
            Arrays.setAll(fresh, _ -> new RowVector());
            vectors.add(fresh);
        }
        return vectors.get(weight);
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
