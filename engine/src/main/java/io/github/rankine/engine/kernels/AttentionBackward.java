package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.KC;
import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.LDA;
import static io.github.rankine.engine.kernels.MicroKernel.NR;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Gradients of attention (Dao et al. 2022). Probabilities come again from the saved logarithms of the denominators. With
 * {@code D = Σ dOut · out} of a query: {@code dS = P ∘ (dP − D)}, {@code dP = dO Vᵀ}, and {@code dQ = dS K},
 * {@code dK = dSᵀ Q}, {@code dV = Pᵀ dO}; everything is computed transposed, queries in the lanes, as forward.
 *
 * <p>A task takes a segment of one head's queries. It owns their {@code dQ}; what it adds to {@code dK} and {@code dV} it keeps to itself,
 * and when all are done these parts are added up in the order of heads and segments.
 */
final class AttentionBackward {
    /** Floats of packed operands and of parts that exist at a time, beyond one key head of one sequence. */
    private static final long BUDGET = 1 << 22;
    /** Queries of a task: few parts to keep, yet work for several threads where there are few heads. */
    private static final int SEGMENT = 1024;
    /** Queries whose scores exist at a time, a multiple of NR. */
    private static final int QUERIES = 128;
    /** Keys whose gradients are computed at a time, whole tiles of them. */
    private static final int PRODUCT_KEYS = 48;
    /** Keys that a task of the last sum takes. */
    private static final int SUM_KEYS = 64;

    private final Workers workers;
    private final AttentionGradientScratch[] scratch;
    private final TaskTable packTasks = new TaskTable();
    private final TaskTable tasks = new TaskTable();
    private final TaskTable sumTasks = new TaskTable();
    private float[] keyRows = new float[0];
    private float[] valueRows = new float[0];
    private float[] keysTransposed = new float[0];
    private float[] parts = new float[0];
    private int[] rowsAt = new int[0];
    private int[] transposedAt = new int[0];
    private int[] partsAt = new int[0];

    AttentionBackward(Workers workers) {
        this.workers = workers;
        scratch = new AttentionGradientScratch[workers.count()];
    }

    /** The tensors of one call. */
    private record Call(
            Tensor q,
            Tensor k,
            Tensor v,
            AttentionSpans spans,
            AttentionShape shape,
            Tensor out,
            Tensor logSumExp,
            Tensor dOut,
            Tensor dq,
            Tensor dk,
            Tensor dv) {
        int sequence(int unit) {
            return unit / shape.kvHeads();
        }

        KeyLayout layout(int unit) {
            return new KeyLayout(spans.keyCount()[sequence(unit)], shape.headDim());
        }

        int segments(int unit) {
            return (spans.queryCount()[sequence(unit)] + SEGMENT - 1) / SEGMENT;
        }

        /** Keys that a segment's queries may see: those up to its last query. */
        int visibleKeys(int unit, int segment) {
            int sequence = sequence(unit);
            int last = Math.min(spans.queryCount()[sequence], (segment + 1) * SEGMENT) - 1;
            return spans.position(sequence, last) + 1;
        }

        /** Floats of the parts of one head. */
        int partsSize(int unit) {
            return partAt(unit, segments(unit));
        }

        /** Where, in a head's parts, a segment's part begins: {@code dK} then {@code dV}, each {@code [visible keys, headDim]}. */
        int partAt(int unit, int segment) {
            long at = 0;
            for (int i = 0; i < segment; i++) {
                at += 2L * visibleKeys(unit, i) * shape.headDim();
            }
            return Math.toIntExact(at);
        }
    }

    void run(
            Tensor q,
            Tensor k,
            Tensor v,
            AttentionSpans spans,
            AttentionShape shape,
            Tensor out,
            Tensor logSumExp,
            Tensor dOut,
            Tensor dq,
            Tensor dk,
            Tensor dv) {
        Call call = new Call(q, k, v, spans, shape, out, logSumExp, dOut, dq, dk, dv);
        int units = Math.multiplyExact(spans.sequences(), shape.kvHeads());
        if (rowsAt.length < units) {
            rowsAt = new int[units];
            transposedAt = new int[units];
            partsAt = new int[units];
        }
        for (int worker = 0; worker < scratch.length; worker++) {
            if (scratch[worker] == null || scratch[worker].headDim < shape.headDim()) {
                scratch[worker] = new AttentionGradientScratch(shape.headDim(), QUERIES);
            }
        }
        for (int first = 0; first < units; ) {
            first = round(call, first, units);
        }
    }

    private int round(Call call, int first, int units) {
        int group = call.shape.group();
        packTasks.clear();
        tasks.clear();
        sumTasks.clear();
        int rowsSize = 0;
        int transposedSize = 0;
        int partsSize = 0;
        int end = first;
        for (; end < units; end++) {
            KeyLayout layout = call.layout(end);
            int unitParts = Math.multiplyExact(group, call.partsSize(end));
            long size = 2L * layout.rowsSize() + layout.transposedSize() + unitParts;
            if (end > first && 2L * rowsSize + transposedSize + partsSize + size > BUDGET) {
                break;
            }
            rowsAt[end] = rowsSize;
            transposedAt[end] = transposedSize;
            partsAt[end] = partsSize;
            rowsSize = Math.addExact(rowsSize, layout.rowsSize());
            transposedSize = Math.addExact(transposedSize, layout.transposedSize());
            partsSize = Math.addExact(partsSize, unitParts);
            packTasks.add(layout.blocks());
            tasks.add(group * call.segments(end));
            sumTasks.add((layout.keys() + SUM_KEYS - 1) / SUM_KEYS);
        }
        grow(rowsSize, transposedSize, partsSize);
        workers.run(packTasks.total(), (task, worker) -> {
            int item = packTasks.item(task);
            pack(call, first + item, packTasks.local(item, task), scratch[worker]);
        });
        workers.run(tasks.total(), (task, worker) -> {
            int item = tasks.item(task);
            int segments = call.segments(first + item);
            int local = tasks.local(item, task);
            segment(call, first + item, local / segments, segments - 1 - local % segments, scratch[worker]);
        });
        workers.run(sumTasks.total(), (task, worker) -> {
            int item = sumTasks.item(task);
            sumParts(call, first + item, sumTasks.local(item, task) * SUM_KEYS, scratch[worker]);
        });
        return end;
    }

    private void grow(int rowsSize, int transposedSize, int partsSize) {
        int slack = MicroKernel.MR * LDA;
        if (keyRows.length < rowsSize + slack) {
            keyRows = new float[Math.addExact(rowsSize, slack)];
            valueRows = new float[keyRows.length];
        }
        if (keysTransposed.length < transposedSize + slack) {
            keysTransposed = new float[Math.addExact(transposedSize, slack)];
        }
        if (parts.length < partsSize) {
            parts = new float[partsSize];
        }
    }

    private void pack(Call call, int unit, int block, AttentionGradientScratch s) {
        long keyStart = call.spans.keyStart()[call.sequence(unit)];
        int head = unit % call.shape.kvHeads();
        KeyLayout layout = call.layout(unit);
        HeadRows k = HeadRows.of(call.k, call.shape.headDim());
        HeadRows v = HeadRows.of(call.v, call.shape.headDim());
        layout.packRows(k, keyStart, head, block, keyRows, rowsAt[unit]);
        layout.packRows(v, keyStart, head, block, valueRows, rowsAt[unit]);
        layout.packTransposed(k, keyStart, head, block, keysTransposed, transposedAt[unit], s.rows, s.transposition);
    }

    private void segment(Call call, int unit, int member, int segment, AttentionGradientScratch s) {
        int headDim = call.shape.headDim();
        int sequence = call.sequence(unit);
        int keys = call.visibleKeys(unit, segment);
        int dkAt = partsAt[unit] + member * call.partsSize(unit) + call.partAt(unit, segment);
        int dvAt = dkAt + keys * headDim;
        Arrays.fill(parts, dkAt, dvAt + keys * headDim, 0f);
        int head = unit % call.shape.kvHeads() * call.shape.group() + member;
        int end = Math.min(call.spans.queryCount()[sequence], (segment + 1) * SEGMENT);
        for (int query = segment * SEGMENT; query < end; query += QUERIES) {
            int count = Math.min(QUERIES, end - query);
            long row = (long) call.spans.queryStart()[sequence] + query;
            s.load(call.q, call.dOut, call.out, call.logSumExp, row, head, count, headDim, call.shape.scale());
            int position = call.spans.position(sequence, query);
            int low = call.shape.firstKey(position);
            int high = position + count;
            for (int block = low / KC; block * KC < high; block++) {
                int from = Math.max(low, block * KC);
                int number = Math.min(high, (block + 1) * KC) - from;
                scores(call, unit, block, from, number, position, count, s);
                int ahead = from - position;
                addProduct(s.probabilities, number, ahead, s.outRows, count, headDim, s, parts, dvAt + from * headDim);
                addProduct(
                        s.scoreGradients, number, ahead, s.queryRows, count, headDim, s, parts, dkAt + from * headDim);
            }
            s.writeQueryGradient(call.dq, row, head, count, headDim, call.shape.scale());
        }
    }

    /** {@code Pᵀ} and {@code dSᵀ} of a block of keys and all loaded queries, and the block's share of {@code dQ}. */
    private void scores(
            Call call, int unit, int block, int from, int number, int position, int count, AttentionGradientScratch s) {
        KeyLayout layout = call.layout(unit);
        int headDim = layout.headDim();
        int window = call.shape.slidingWindow();
        int skipped = from - block * KC;
        int rows = rowsAt[unit] + layout.rowsAt(block) + skipped * LDA;
        int transposed = transposedAt[unit] + layout.transposedAt(block) + skipped;
        for (int first = 0; first < count; first += NR) {
            int queries = Math.min(NR, count - first);
            int firstPosition = position + first;
            // Keys that one of these queries sees: the block's first ones, or none.
            int seen = call.shape.firstKey(firstPosition) >= from + number
                    ? 0
                    : Math.clamp(firstPosition + queries - from, 0, number);
            if (seen > 0) {
                MicroKernel.multiply(
                        keyRows, rows, seen, s.queryPanels, first * headDim, headDim, s.probabilities, first, LDA);
                MicroKernel.multiply(
                        valueRows, rows, seen, s.outPanels, first * headDim, headDim, s.scoreGradients, first, LDA);
                CausalMask.apply(
                        s.probabilities,
                        first,
                        LDA,
                        seen,
                        from,
                        firstPosition,
                        queries,
                        window,
                        Float.NEGATIVE_INFINITY);
                for (int lane = 0; lane < NR; lane += LANES) {
                    differentiate(
                            s.probabilities,
                            s.scoreGradients,
                            s.panel,
                            first,
                            lane,
                            seen,
                            s.logSumExp,
                            s.outDotGradient);
                }
                MicroKernel.multiply(keysTransposed, transposed, headDim, s.panel, 0, seen, s.tile, 0, NR);
                add(s.tile, s.queryGradients, first * headDim, headDim * NR);
            }
            clear(s.probabilities, first, seen, number);
            clear(s.scoreGradients, first, seen, number);
        }
    }

    private static void clear(float[] matrix, int col, int row, int end) {
        for (int i = row; i < end; i++) {
            Arrays.fill(matrix, col + i * LDA, col + i * LDA + NR, 0f);
        }
    }

    /** {@code P = exp(S − logSumExp)}, {@code dS = P (dP − D)}, in place, and {@code dS} as a panel too. */
    private static void differentiate(
            float[] p,
            float[] d,
            float[] panel,
            int first,
            int lane,
            int rows,
            float[] logSumExp,
            float[] outDotGradient) {
        FloatVector log = FloatVector.fromArray(SPECIES, logSumExp, first + lane);
        FloatVector dot = FloatVector.fromArray(SPECIES, outDotGradient, first + lane);
        for (int i = 0; i < rows; i++) {
            int at = first + lane + i * LDA;
            FloatVector probability =
                    VectorMath.expUpTo87(FloatVector.fromArray(SPECIES, p, at).sub(log));
            FloatVector gradient =
                    FloatVector.fromArray(SPECIES, d, at).sub(dot).mul(probability);
            probability.intoArray(p, at);
            gradient.intoArray(d, at);
            gradient.intoArray(panel, i * NR + lane);
        }
    }

    private static void add(float[] from, float[] to, int offset, int count) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector.fromArray(SPECIES, to, offset + i)
                    .add(FloatVector.fromArray(SPECIES, from, i))
                    .intoArray(to, offset + i);
        }
    }

    /**
     * {@code out[rows, headDim] += a[rows, LDA] · b}, with {@code b} as panels of {@code QUERIES} rows, of which only the first {@code depth}
     * count. Key {@code i} is seen by no query before {@code ahead + i}: there {@code a} is zero.
     */
    private static void addProduct(
            float[] a,
            int rows,
            int ahead,
            float[] b,
            int depth,
            int headDim,
            AttentionGradientScratch s,
            float[] out,
            int offset) {
        for (int key = 0; key < rows; key += PRODUCT_KEYS) {
            int count = Math.min(PRODUCT_KEYS, rows - key);
            int start = Math.clamp(ahead + key, 0, depth);
            for (int col = 0; col < headDim; col += NR) {
                int panel = col * QUERIES + start * NR;
                MicroKernel.multiply(a, key * LDA + start, count, b, panel, depth - start, s.tile, 0, NR);
                int width = Math.min(NR, headDim - col);
                for (int i = 0; i < count; i++) {
                    addRow(s.tile, i * NR, out, offset + (key + i) * headDim + col, width);
                }
            }
        }
    }

    private static void addRow(float[] from, int at, float[] to, int offset, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector.fromArray(SPECIES, to, offset + i)
                    .add(FloatVector.fromArray(SPECIES, from, at + i))
                    .intoArray(to, offset + i);
        }
        for (; i < count; i++) {
            to[offset + i] += from[at + i];
        }
    }

    private void sumParts(Call call, int unit, int firstKey, AttentionGradientScratch s) {
        int headDim = call.shape.headDim();
        int sequence = call.sequence(unit);
        int end = Math.min(call.spans.keyCount()[sequence], firstKey + SUM_KEYS);
        long col = (long) (unit % call.shape.kvHeads()) * headDim;
        for (int key = firstKey; key < end; key++) {
            Arrays.fill(s.rows, 0, 2 * headDim, 0f);
            for (int member = 0; member < call.shape.group(); member++) {
                for (int segment = 0; segment < call.segments(unit); segment++) {
                    int visible = call.visibleKeys(unit, segment);
                    if (key < visible) {
                        int at = partsAt[unit]
                                + member * call.partsSize(unit)
                                + call.partAt(unit, segment)
                                + key * headDim;
                        addRow(parts, at, s.rows, 0, headDim);
                        addRow(parts, at + visible * headDim, s.rows, headDim, headDim);
                    }
                }
            }
            long row = (long) call.spans.keyStart()[sequence] + key;
            Elements.writeRow(s.rows, 0, headDim, call.dk.segment(), call.dk.offset(row, col), 1f, false);
            Elements.writeRow(s.rows, headDim, headDim, call.dv.segment(), call.dv.offset(row, col), 1f, false);
        }
    }
}
