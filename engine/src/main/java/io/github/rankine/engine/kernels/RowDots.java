package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Dot products of a vector with rows that are read in place, one after another as they lie in memory or, {@code sideBySide}, in four streams,
 * each a quarter of the rows. The sums are the same; what is faster depends on the processor: Zen 4 follows one stream best, Intel's cores
 * reach the memory's pace with four. One worker's memory.
 *
 * <p>Memory sets the pace only if the processor can look far ahead of the line it waits for, so a line costs as few instructions as
 * can be: what lies before a row's first unit and after its last is added afterwards, and the sums' lanes after that.
 */
final class RowDots {
    private static final VectorSpecies<Integer> INTS = SPECIES.withLanes(int.class);
    private static final int UNIT = RowVector.UNIT;
    private static final int UPPER = 0xFFFF0000;
    /** Rows that are read side by side. */
    private static final int STREAMS = 4;
    /** Rows whose edges are added together, while their lines are in the first-level cache. */
    private static final int EDGES = 32;

    /**
     * A step of the loops over a row. C2 unrolls loops whose step it knows and loads their lines in any order, which hides the stream from the
     * processor's prefetching; it does not know this one.
     */
    private final int step;

    /** A vector of sums for each row; and one before them and one after them, to which nothing is added. */
    private float[] sums = new float[0];

    private final QuantizedDots quantizedDots = new QuantizedDots();
    private float[] unpacked = new float[0];

    RowDots(int step) {
        this.step = step;
    }

    /** {@code out[r] = Σ x[i] · b[first + r, i]} for {@code rows} rows; {@code out} has room for whole vectors. */
    void run(Operand b, long first, int rows, RowVector x, float[] out, boolean sideBySide) {
        switch (b) {
            case Operand.Dense dense -> {
                if (x.count() < UNIT) {
                    few(dense, first, rows, x, out);
                } else if (dense.type() == DType.F16) {
                    unpackedDots(dense, first, rows, x, out);
                } else {
                    inPlace(dense, first, rows, x, out, sideBySide);
                }
            }
            case Operand.Quantized quantized -> {
                if (QuantizedDots.areWholeBlocks(quantized.weight())) {
                    for (int r = 0; r < rows; r++) {
                        out[r] = quantizedDots.run(quantized.weight(), first + r, x.values(), RowVector.UNITS);
                    }
                } else {
                    unpackedDots(quantized, first, rows, x, out);
                }
            }
        }
    }

    private static void few(Operand.Dense b, long first, int rows, RowVector x, float[] out) {
        for (int r = 0; r < rows; r++) {
            float sum = 0;
            for (int i = 0; i < x.count(); i++) {
                float weight = b.type().read(b.data(), (first + r) * b.stride() + i);
                sum = Math.fma(weight, x.values()[RowVector.UNITS + i], sum);
            }
            out[r] = sum;
        }
    }

    private void unpackedDots(Operand b, long first, int rows, RowVector x, float[] out) {
        if (unpacked.length < x.count()) {
            unpacked = new float[x.count()];
        }
        for (int r = 0; r < rows; r++) {
            b.read(first + r, 0, unpacked, 0, x.count());
            out[r] = unpackedDot(x);
        }
    }

    private void inPlace(Operand.Dense b, long first, int rows, RowVector x, float[] out, boolean sideBySide) {
        int whole = Math.ceilDiv(rows, LANES) * LANES;
        if (sums.length < (whole + 2) * LANES) {
            sums = new float[(whole + 2) * LANES];
        }
        int size = b.type().bytes();
        long stride = size * b.stride();
        long units = first * stride + (long) size * x.head();
        int quarter = sideBySide ? rows / STREAMS : 0;
        int rest = STREAMS * quarter;
        if (b.type() == DType.BF16) {
            bf16InFour(b.data(), units, stride, quarter, x);
            bf16(b.data(), units, stride, rest, rows, x);
        } else {
            f32InFour(b.data(), units, stride, quarter, x);
            f32(b.data(), units, stride, rest, rows, x);
        }
        addEdges(b, first, rows, x);
        for (int i = 0; i < rows; i += LANES) {
            VectorMath.sums(sums, (i + 1) * LANES, out, i);
        }
    }

    private void f32(MemorySegment data, long from, long stride, int first, int end, RowVector x) {
        float[] v = x.values();
        int last = x.end();
        for (int r = first; r < end; r++) {
            FloatVector s0 = FloatVector.zero(SPECIES), s1 = s0;
            long at = from + r * stride;
            for (int i = RowVector.UNITS; i < last; i += step) {
                s0 = Elements.load(data, at).fma(FloatVector.fromArray(SPECIES, v, i), s0);
                s1 = Elements.load(data, at + 4L * LANES).fma(FloatVector.fromArray(SPECIES, v, i + LANES), s1);
                at += 4L * step;
            }
            s0.add(s1).intoArray(sums, (r + 1) * LANES);
        }
    }

    private void bf16(MemorySegment data, long from, long stride, int first, int end, RowVector x) {
        float[] v = x.values();
        int last = x.end();
        for (int r = first; r < end; r++) {
            FloatVector s0 = FloatVector.zero(SPECIES), s1 = s0;
            long at = from + r * stride;
            for (int i = RowVector.UNITS; i < last; i += step) {
                IntVector w = words(data, at);
                s0 = even(w).fma(FloatVector.fromArray(SPECIES, v, i), s0);
                s1 = odd(w).fma(FloatVector.fromArray(SPECIES, v, i + LANES), s1);
                at += 2L * step;
            }
            s0.add(s1).intoArray(sums, (r + 1) * LANES);
        }
    }

    /** In four streams, {@code quarter} rows from one to the next. */
    private void f32InFour(MemorySegment data, long from, long stride, int quarter, RowVector x) {
        float[] v = x.values();
        int end = x.end();
        long apart = quarter * stride;
        int sumsApart = quarter * LANES;
        for (int r = 0; r < quarter; r++) {
            FloatVector a0 = FloatVector.zero(SPECIES), a1 = a0, b0 = a0, b1 = a0;
            FloatVector c0 = a0, c1 = a0, d0 = a0, d1 = a0;
            long at = from + r * stride;
            for (int i = RowVector.UNITS; i < end; i += step) {
                FloatVector v0 = FloatVector.fromArray(SPECIES, v, i);
                FloatVector v1 = FloatVector.fromArray(SPECIES, v, i + LANES);
                a0 = Elements.load(data, at).fma(v0, a0);
                a1 = Elements.load(data, at + 4L * LANES).fma(v1, a1);
                b0 = Elements.load(data, at + apart).fma(v0, b0);
                b1 = Elements.load(data, at + apart + 4L * LANES).fma(v1, b1);
                c0 = Elements.load(data, at + 2 * apart).fma(v0, c0);
                c1 = Elements.load(data, at + 2 * apart + 4L * LANES).fma(v1, c1);
                d0 = Elements.load(data, at + 3 * apart).fma(v0, d0);
                d1 = Elements.load(data, at + 3 * apart + 4L * LANES).fma(v1, d1);
                at += 4L * step;
            }
            int to = (r + 1) * LANES;
            a0.add(a1).intoArray(sums, to);
            b0.add(b1).intoArray(sums, to + sumsApart);
            c0.add(c1).intoArray(sums, to + 2 * sumsApart);
            d0.add(d1).intoArray(sums, to + 3 * sumsApart);
        }
    }

    private void bf16InFour(MemorySegment data, long from, long stride, int quarter, RowVector x) {
        float[] v = x.values();
        int end = x.end();
        long apart = quarter * stride;
        int sumsApart = quarter * LANES;
        for (int r = 0; r < quarter; r++) {
            FloatVector a0 = FloatVector.zero(SPECIES), a1 = a0, b0 = a0, b1 = a0;
            FloatVector c0 = a0, c1 = a0, d0 = a0, d1 = a0;
            long at = from + r * stride;
            for (int i = RowVector.UNITS; i < end; i += step) {
                FloatVector v0 = FloatVector.fromArray(SPECIES, v, i);
                FloatVector v1 = FloatVector.fromArray(SPECIES, v, i + LANES);
                IntVector w = words(data, at);
                a0 = even(w).fma(v0, a0);
                a1 = odd(w).fma(v1, a1);
                w = words(data, at + apart);
                b0 = even(w).fma(v0, b0);
                b1 = odd(w).fma(v1, b1);
                w = words(data, at + 2 * apart);
                c0 = even(w).fma(v0, c0);
                c1 = odd(w).fma(v1, c1);
                w = words(data, at + 3 * apart);
                d0 = even(w).fma(v0, d0);
                d1 = odd(w).fma(v1, d1);
                at += 2L * step;
            }
            int to = (r + 1) * LANES;
            a0.add(a1).intoArray(sums, to);
            b0.add(b1).intoArray(sums, to + sumsApart);
            c0.add(c1).intoArray(sums, to + 2 * sumsApart);
            d0.add(d1).intoArray(sums, to + 3 * sumsApart);
        }
    }

    /**
     * Adds what lies before the rows' first units and after their last ones: first the first row's beginning, then the lines between two rows,
     * which hold one's end and the next one's beginning and are read once, then the last row's end; or, where rows share no lines, all
     * beginnings and all ends. All is one method because C2 gives a method of this size a compilation of its own: smaller ones it
     * takes into their caller, comes to its limit there, and lets vectors be objects.
     */
    private void addEdges(Operand.Dense b, long first, int count, RowVector x) {
        if (!x.hasEdges()) {
            return;
        }
        boolean shares = x.sharesLines();
        int bytes = b.type().bytes();
        long stride = bytes * b.stride();
        long row = first * stride;
        long line = row - (long) bytes * x.tail();
        long last = row + (long) bytes * (x.count() - UNIT);
        for (int part = 0; part < 3; part++) {
            long at = line;
            int unit = RowVector.SHARED;
            int[] tail = x.tailMask();
            int[] head = x.headMask();
            int units = 1;
            int to = 0;
            switch (part) {
                case 0 -> {
                    tail = x.noMask();
                    if (!shares || first == 0) {
                        at = row;
                        unit = RowVector.FIRST;
                        head = x.firstMask();
                        units = shares ? 1 : count;
                    }
                }
                case 1 -> {
                    at += stride;
                    units = shares ? count - 1 : 0;
                    to = 1;
                }
                default -> {
                    at += count * stride;
                    head = x.noMask();
                    to = count;
                    if (!shares || first + count == b.rows()) {
                        units = shares ? 1 : count;
                        at = last + (count - units) * stride;
                        unit = RowVector.LAST;
                        tail = x.lastMask();
                        to = 1 + count - units;
                    }
                }
            }
            FloatVector v0 = FloatVector.fromArray(SPECIES, x.values(), unit);
            FloatVector v1 = FloatVector.fromArray(SPECIES, x.values(), unit + LANES);
            IntVector t0 = IntVector.fromArray(INTS, tail, 0), t1 = IntVector.fromArray(INTS, tail, LANES);
            IntVector h0 = IntVector.fromArray(INTS, head, 0), h1 = IntVector.fromArray(INTS, head, LANES);
            FloatVector before = FloatVector.fromArray(SPECIES, sums, to * LANES);
            for (int r = to; r < to + units; r++) {
                FloatVector after = FloatVector.fromArray(SPECIES, sums, (r + 1) * LANES);
                IntVector w = words(b.data(), at);
                if (b.type() == DType.BF16) {
                    IntVector t = w.and(t0), h = w.and(h0);
                    odd(t).fma(v1, even(t).fma(v0, before)).intoArray(sums, r * LANES);
                    before = odd(h).fma(v1, even(h).fma(v0, after));
                } else {
                    IntVector second = words(b.data(), at + 4L * LANES);
                    before = w.and(t0).reinterpretAsFloats().fma(v0, before);
                    after = w.and(h0).reinterpretAsFloats().fma(v0, after);
                    second.and(t1).reinterpretAsFloats().fma(v1, before).intoArray(sums, r * LANES);
                    before = second.and(h1).reinterpretAsFloats().fma(v1, after);
                }
                at += stride;
            }
            before.intoArray(sums, (to + units) * LANES);
        }
    }

    private static IntVector words(MemorySegment data, long at) {
        return IntVector.fromMemorySegment(INTS, data, at, ByteOrder.LITTLE_ENDIAN);
    }

    private static FloatVector even(IntVector words) {
        return words.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
    }

    private static FloatVector odd(IntVector words) {
        return words.and(UPPER).reinterpretAsFloats();
    }

    private float unpackedDot(RowVector x) {
        float[] v = x.values();
        FloatVector s0 = FloatVector.zero(SPECIES), s1 = s0;
        int i = 0;
        for (; i <= x.count() - UNIT; i += UNIT) {
            int at = i + RowVector.UNITS;
            s0 = FloatVector.fromArray(SPECIES, unpacked, i).fma(FloatVector.fromArray(SPECIES, v, at), s0);
            s1 = FloatVector.fromArray(SPECIES, unpacked, i + LANES)
                    .fma(FloatVector.fromArray(SPECIES, v, at + LANES), s1);
        }
        float sum = VectorMath.sum(s0.add(s1));
        for (; i < x.count(); i++) {
            sum = Math.fma(unpacked[i], v[i + RowVector.UNITS], sum);
        }
        return sum;
    }
}
