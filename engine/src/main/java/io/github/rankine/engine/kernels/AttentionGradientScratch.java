package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.KC;
import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.LDA;
import static io.github.rankine.engine.kernels.MicroKernel.NR;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/** One worker's memory for {@link AttentionBackward}: a block of queries in every order in which its products read them. */
final class AttentionGradientScratch {
    final int headDim;
    private final int capacity;
    final Transposition transposition = new Transposition();
    /** Rows on their way into or out of a transposed panel. */
    final float[] rows = new float[NR * LDA];
    /** One row of the outputs. */
    private final float[] outputs;
    /** {@code Qᵀ}, times the scale, and {@code dOᵀ}: panels {@code [headDim, NR]}. */
    final float[] queryPanels;

    final float[] outPanels;
    /** {@code Q}, times the scale, and {@code dO}: panels {@code [queries, NR]}. */
    final float[] queryRows;

    final float[] outRows;
    /** {@code dQᵀ}, panels {@code [headDim, NR]}. */
    final float[] queryGradients;

    final float[] logSumExp;
    final float[] outDotGradient;
    /** {@code Sᵀ}, then {@code Pᵀ}: {@code [KC, LDA]}. */
    final float[] probabilities = new float[MicroKernel.paddedRows(KC) * LDA];
    /** {@code dPᵀ}, then {@code dSᵀ}: {@code [KC, LDA]}. */
    final float[] scoreGradients = new float[MicroKernel.paddedRows(KC) * LDA];
    /** {@code dSᵀ} of one panel of queries, {@code [KC, NR]}. */
    final float[] panel = new float[KC * NR];

    final float[] tile = new float[MicroKernel.paddedRows(KC) * NR];

    AttentionGradientScratch(int headDim, int queries) {
        this.headDim = headDim;
        capacity = queries;
        outputs = new float[headDim];
        int padded = MicroKernel.paddedCols(headDim) * queries;
        queryPanels = new float[padded];
        outPanels = new float[padded];
        queryRows = new float[padded];
        outRows = new float[padded];
        queryGradients = new float[padded];
        logSumExp = new float[queries];
        outDotGradient = new float[queries];
    }

    /** Packs {@code count} queries of a head with the gradients of their outputs, and clears the gradients of the queries. */
    void load(Tensor q, Tensor dOut, Tensor out, Tensor logs, long row, int head, int count, int dim, float scale) {
        long col = (long) head * dim;
        Arrays.fill(queryGradients, 0f);
        Arrays.fill(logSumExp, 0f);
        Arrays.fill(outDotGradient, 0f);
        for (int first = 0; first < count; first += NR) {
            int width = Math.min(NR, count - first);
            pack(dOut, row, col, first, width, dim, 1f, outPanels, outRows);
            for (int i = 0; i < width; i++) {
                KeyLayout.read(out, row + first + i, col, dim, outputs, 0);
                outDotGradient[first + i] = dot(outputs, 0, rows, i * LDA, dim);
                logSumExp[first + i] = logs.get(row + first + i, head);
            }
            pack(q, row, col, first, width, dim, scale, queryPanels, queryRows);
        }
    }

    private void pack(
            Tensor x,
            long row,
            long col,
            int first,
            int width,
            int dim,
            float scale,
            float[] transposed,
            float[] plain) {
        int padded = MicroKernel.paddedCols(dim);
        for (int i = 0; i < width; i++) {
            KeyLayout.read(x, row + first + i, col, dim, rows, i * LDA);
            Arrays.fill(rows, i * LDA + dim, i * LDA + padded, 0f);
            scale(rows, i * LDA, padded, scale, plain, (first + i) * NR, capacity * NR);
        }
        transposition.panel(rows, width, dim, transposed, first * dim);
    }

    /** Multiplies a row, and copies NR columns each to panels that lie {@code apart}. */
    private static void scale(float[] x, int at, int count, float factor, float[] panels, int to, int apart) {
        for (int i = 0; i < count; i += NR) {
            FloatVector first = FloatVector.fromArray(SPECIES, x, at + i).mul(factor);
            FloatVector second =
                    FloatVector.fromArray(SPECIES, x, at + i + LANES).mul(factor);
            first.intoArray(x, at + i);
            second.intoArray(x, at + i + LANES);
            first.intoArray(panels, to);
            second.intoArray(panels, to + LANES);
            to += apart;
        }
    }

    private static float dot(float[] x, int xAt, float[] y, int yAt, int count) {
        FloatVector sum = FloatVector.zero(SPECIES);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            sum = FloatVector.fromArray(SPECIES, x, xAt + i).fma(FloatVector.fromArray(SPECIES, y, yAt + i), sum);
        }
        float total = VectorMath.sum(sum);
        for (; i < count; i++) {
            total = Math.fma(x[xAt + i], y[yAt + i], total);
        }
        return total;
    }

    /** Writes the gradients of the queries, times the scale. */
    void writeQueryGradient(Tensor dq, long row, int head, int count, int dim, float scale) {
        for (int first = 0; first < count; first += NR) {
            int width = Math.min(NR, count - first);
            transposition.run(queryGradients, first * dim, NR, dim, width, rows, 0, dim);
            for (int i = 0; i < width; i++) {
                long at = dq.offset(row + first + i, (long) head * dim);
                Elements.writeRow(rows, i * dim, dim, dq.segment(), at, scale, false);
            }
        }
    }
}
