package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.KC;
import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.LDA;
import static io.github.rankine.engine.kernels.MicroKernel.NR;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Attention with an online softmax (Dao et al. 2022), queries in the lanes: a task takes a panel of NR queries of one head,
 * and for each block of keys computes {@code Sᵀ = K · Qᵀ}, whose rows are keys, so that softmax works on whole vectors,
 * and {@code Oᵀ += Vᵀ · Pᵀ}, which reads {@code Pᵀ} just as the product before it was written.
 */
final class AttentionForward {
    /** Floats of packed keys and values that exist at a time, beyond one head of one sequence. */
    private static final long BUDGET = 1 << 22;

    private final Workers workers;
    private final Scratch[] scratch;
    private final TaskTable packTasks = new TaskTable();
    private final TaskTable tasks = new TaskTable();
    private float[] keys = new float[0];
    private float[] values = new float[0];
    private int[] keysAt = new int[0];
    private int[] valuesAt = new int[0];

    AttentionForward(Workers workers) {
        this.workers = workers;
        scratch = new Scratch[workers.count()];
    }

    /** The tensors of one call. */
    private record Call(
            Tensor q,
            HeadRows k,
            HeadRows v,
            AttentionSpans spans,
            AttentionShape shape,
            Tensor out,
            Tensor logSumExp) {
        KeyLayout layout(int sequence) {
            return new KeyLayout(spans.keyCount()[sequence], shape.headDim());
        }
    }

    void run(
            Tensor q,
            HeadRows k,
            HeadRows v,
            AttentionSpans spans,
            AttentionShape shape,
            Tensor out,
            Tensor logSumExp) {
        Call call = new Call(q, k, v, spans, shape, out, logSumExp);
        int units = Math.multiplyExact(spans.sequences(), shape.kvHeads());
        if (keysAt.length < units) {
            keysAt = new int[units];
            valuesAt = new int[units];
        }
        for (int worker = 0; worker < scratch.length; worker++) {
            if (scratch[worker] == null || scratch[worker].headDim < shape.headDim()) {
                scratch[worker] = new Scratch(shape.headDim());
            }
        }
        for (int first = 0; first < units; ) {
            first = round(call, first, units);
        }
    }

    /** Packs as many heads as the budget holds, from unit {@code first}, and attends with them; returns the next unit. */
    private int round(Call call, int first, int units) {
        int kvHeads = call.shape.kvHeads();
        int group = call.shape.group();
        packTasks.clear();
        tasks.clear();
        int rowsSize = 0;
        int transposedSize = 0;
        int end = first;
        for (; end < units; end++) {
            int sequence = end / kvHeads;
            KeyLayout layout = call.layout(sequence);
            if (end > first
                    && (long) rowsSize + transposedSize + layout.rowsSize() + layout.transposedSize() > BUDGET) {
                break;
            }
            keysAt[end] = rowsSize;
            valuesAt[end] = transposedSize;
            rowsSize = Math.addExact(rowsSize, layout.rowsSize());
            transposedSize = Math.addExact(transposedSize, layout.transposedSize());
            packTasks.add(layout.blocks());
            tasks.add(group * panels(call.spans, sequence));
        }
        int slack = MicroKernel.MR * LDA;
        if (keys.length < rowsSize + slack) {
            keys = new float[Math.addExact(rowsSize, slack)];
        }
        if (values.length < transposedSize + slack) {
            values = new float[Math.addExact(transposedSize, slack)];
        }
        workers.run(packTasks.total(), (task, worker) -> {
            int item = packTasks.item(task);
            int unit = first + item;
            int sequence = unit / kvHeads;
            int block = packTasks.local(item, task);
            long keyStart = call.spans.keyStart()[sequence];
            int head = unit % kvHeads;
            KeyLayout layout = call.layout(sequence);
            layout.packRows(call.k, keyStart, head, block, keys, keysAt[unit]);
            layout.packTransposed(
                    call.v,
                    keyStart,
                    head,
                    block,
                    values,
                    valuesAt[unit],
                    scratch[worker].rows,
                    scratch[worker].transposition);
        });
        workers.run(tasks.total(), (task, worker) -> {
            int item = tasks.item(task);
            int unit = first + item;
            int sequence = unit / kvHeads;
            int panels = panels(call.spans, sequence);
            int local = tasks.local(item, task);
            int head = unit % kvHeads * group + local / panels;
            // The last panel sees the most keys: it goes first.
            panel(call, unit, sequence, head, panels - 1 - local % panels, scratch[worker]);
        });
        return end;
    }

    private static int panels(AttentionSpans spans, int sequence) {
        return (spans.queryCount()[sequence] + NR - 1) / NR;
    }

    private void panel(Call call, int unit, int sequence, int head, int panel, Scratch s) {
        int headDim = call.shape.headDim();
        KeyLayout layout = call.layout(sequence);
        int first = panel * NR;
        int count = Math.min(NR, call.spans.queryCount()[sequence] - first);
        long row = (long) call.spans.queryStart()[sequence] + first;
        int position = call.spans.position(sequence, first);
        int low = call.shape.firstKey(position);
        int high = position + count;
        packQueries(call.q, row, (long) head * headDim, count, headDim, call.shape.scale(), s);
        Arrays.fill(s.maximum, Float.NEGATIVE_INFINITY);
        Arrays.fill(s.sum, 0f);
        Arrays.fill(s.output, 0, headDim * NR, 0f);
        for (int block = low / KC; block * KC < high; block++) {
            int from = Math.max(low, block * KC);
            int number = Math.min(high, (block + 1) * KC) - from;
            int skipped = from - block * KC;
            MicroKernel.multiply(
                    keys,
                    keysAt[unit] + layout.rowsAt(block) + skipped * LDA,
                    number,
                    s.queries,
                    0,
                    headDim,
                    s.scores,
                    0,
                    NR);
            CausalMask.apply(
                    s.scores,
                    0,
                    NR,
                    number,
                    from,
                    position,
                    count,
                    call.shape.slidingWindow(),
                    Float.NEGATIVE_INFINITY);
            softmax(s, number);
            MicroKernel.multiply(
                    values,
                    valuesAt[unit] + layout.transposedAt(block) + skipped,
                    headDim,
                    s.scores,
                    0,
                    number,
                    s.tile,
                    0,
                    NR);
            addCorrected(s.output, s.correction, s.tile, headDim);
        }
        divide(s.output, s.sum, headDim);
        s.transposition.run(s.output, 0, NR, headDim, count, s.rows, 0, headDim);
        for (int i = 0; i < count; i++) {
            MemorySegment.copy(
                    s.rows,
                    i * headDim,
                    call.out.segment(),
                    ValueLayout.JAVA_FLOAT_UNALIGNED,
                    call.out.offset(row + i, (long) head * headDim),
                    headDim);
            call.logSumExp.set(row + i, head, (float) (s.maximum[i] + Math.log(s.sum[i])));
        }
    }

    private static void packQueries(Tensor q, long row, long col, int count, int headDim, float scale, Scratch s) {
        for (int i = 0; i < count; i++) {
            KeyLayout.read(q, row + i, col, headDim, s.rows, i * LDA);
        }
        s.transposition.panel(s.rows, count, headDim, s.queries, 0);
        for (int i = 0; i < headDim * NR; i += LANES) {
            FloatVector.fromArray(SPECIES, s.queries, i).mul(scale).intoArray(s.queries, i);
        }
    }

    /**
     * Turns a block's scores into exponentials relative to the largest score so far; the correction becomes the factor of what was summed
     * before. It is long enough for C2 to compile it by itself: its caller would come to C2's limit with it, and vectors
     * would be objects.
     */
    private static void softmax(Scratch s, int rows) {
        int end = rows * NR;
        FloatVector before0 = FloatVector.fromArray(SPECIES, s.maximum, 0);
        FloatVector before1 = FloatVector.fromArray(SPECIES, s.maximum, LANES);
        FloatVector max0 = before0;
        FloatVector max1 = before1;
        for (int i = 0; i < end; i += NR) {
            max0 = VectorMath.larger(max0, FloatVector.fromArray(SPECIES, s.scores, i));
            max1 = VectorMath.larger(max1, FloatVector.fromArray(SPECIES, s.scores, i + LANES));
        }
        max0.intoArray(s.maximum, 0);
        max1.intoArray(s.maximum, LANES);
        before0.intoArray(s.correction, 0);
        before1.intoArray(s.correction, LANES);
        for (int lane = 0; lane < NR; lane += LANES) {
            FloatVector max = FloatVector.fromArray(SPECIES, s.maximum, lane);
            // A query that has seen no key yet subtracts 0, lest −∞ − (−∞) be NaN.
            FloatVector base = max.blend(0f, max.compare(VectorOperators.EQ, Float.NEGATIVE_INFINITY));
            FloatVector factor = VectorMath.expUpTo87(
                    FloatVector.fromArray(SPECIES, s.correction, lane).sub(base));
            factor.intoArray(s.correction, lane);
            FloatVector total = FloatVector.fromArray(SPECIES, s.sum, lane).mul(factor);
            for (int i = lane; i < end; i += NR) {
                FloatVector e = VectorMath.expUpTo87(
                        FloatVector.fromArray(SPECIES, s.scores, i).sub(base));
                e.intoArray(s.scores, i);
                total = e.add(total);
            }
            total.intoArray(s.sum, lane);
        }
    }

    private static void addCorrected(float[] output, float[] correction, float[] tile, int headDim) {
        FloatVector c0 = FloatVector.fromArray(SPECIES, correction, 0);
        FloatVector c1 = FloatVector.fromArray(SPECIES, correction, LANES);
        for (int i = 0; i < headDim * NR; i += NR) {
            FloatVector.fromArray(SPECIES, output, i)
                    .fma(c0, FloatVector.fromArray(SPECIES, tile, i))
                    .intoArray(output, i);
            FloatVector.fromArray(SPECIES, output, i + LANES)
                    .fma(c1, FloatVector.fromArray(SPECIES, tile, i + LANES))
                    .intoArray(output, i + LANES);
        }
    }

    private static void divide(float[] output, float[] sum, int headDim) {
        FloatVector s0 = FloatVector.fromArray(SPECIES, sum, 0);
        FloatVector s1 = FloatVector.fromArray(SPECIES, sum, LANES);
        for (int i = 0; i < headDim * NR; i += NR) {
            FloatVector.fromArray(SPECIES, output, i).div(s0).intoArray(output, i);
            FloatVector.fromArray(SPECIES, output, i + LANES).div(s1).intoArray(output, i + LANES);
        }
    }

    /** One worker's memory. */
    private static final class Scratch {
        final int headDim;
        final Transposition transposition = new Transposition();
        /** {@code [NR, LDA]}: rows on their way into or out of a transposed panel. */
        final float[] rows = new float[NR * LDA];
        /** {@code Qᵀ [headDim, NR]}, times the scale. */
        final float[] queries;
        /** {@code Sᵀ}, then {@code Pᵀ [KC, NR]}. */
        final float[] scores = new float[MicroKernel.paddedRows(KC) * NR];
        /** {@code Vᵀ Pᵀ [headDim, NR]} of one block, and of all so far. */
        final float[] tile;

        final float[] output;
        final float[] maximum = new float[NR];
        final float[] sum = new float[NR];
        final float[] correction = new float[NR];

        Scratch(int headDim) {
            this.headDim = headDim;
            queries = new float[headDim * NR];
            tile = new float[MicroKernel.paddedRows(headDim) * NR];
            output = new float[headDim * NR];
        }
    }
}
