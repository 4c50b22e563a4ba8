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
 * and Zen 5 reach the memory's pace with four. One worker's memory.
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
    /**
     * A step of the loops over a row. C2 unrolls loops whose step it knows and loads their lines in any order, which hides the stream from the
     * processor's prefetching; it does not know this one.
     */
    private final int step;

    /** A vector of sums for each row. */
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
        if (sums.length < whole * LANES) {
            sums = new float[whole * LANES];
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
            VectorMath.sums(sums, i * LANES, out, i);
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
            s0.add(s1).intoArray(sums, r * LANES);
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
            s0.add(s1).intoArray(sums, r * LANES);
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
            int to = r * LANES;
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
            int to = r * LANES;
            a0.add(a1).intoArray(sums, to);
            b0.add(b1).intoArray(sums, to + sumsApart);
            c0.add(c1).intoArray(sums, to + 2 * sumsApart);
            d0.add(d1).intoArray(sums, to + 3 * sumsApart);
        }
    }

    /**
     * Adds what lies before the rows' first units and after their last ones: each row's beginning, then its end, whichever rows it comes with.
     * Both types are one method because C2 gives a method of this size a compilation of its own: smaller ones it takes into
     * their caller, comes to its limit there, and lets vectors be objects.
     */
    private void addEdges(Operand.Dense b, long first, int rows, RowVector x) {
        int bytes = b.type().bytes();
        long stride = bytes * b.stride();
        // The tensor's first row has no line before it, and its last one none behind.
        int alone = x.sharesLines() ? first == 0 ? 1 : 0 : rows;
        int shared = x.sharesLines() ? first + rows == b.rows() ? rows - 1 : rows : 0;
        for (int edge = 0; edge < RowVector.EDGES; edge++) {
            int start = edge == RowVector.BEGINS ? alone : edge == RowVector.LAST ? shared : 0;
            int end = edge == RowVector.FIRST ? alone : edge == RowVector.ENDS ? shared : rows;
            if (x.lacks(edge)) {
                continue;
            }
            int unit = edge * UNIT;
            IntVector m0 = IntVector.fromArray(INTS, x.edgeMasks(), unit);
            IntVector m1 = IntVector.fromArray(INTS, x.edgeMasks(), unit + LANES);
            FloatVector v0 = FloatVector.fromArray(SPECIES, x.values(), unit);
            FloatVector v1 = FloatVector.fromArray(SPECIES, x.values(), unit + LANES);
            long at = (first + start) * stride + (long) bytes * x.edgeAt(edge);
            if (b.type() == DType.BF16) {
                for (int r = start; r < end; r++) {
                    IntVector w = words(b.data(), at).and(m0);
                    FloatVector sum = FloatVector.fromArray(SPECIES, sums, r * LANES);
                    odd(w).fma(v1, even(w).fma(v0, sum)).intoArray(sums, r * LANES);
                    at += stride;
                }
            } else {
                for (int r = start; r < end; r++) {
                    FloatVector w0 = words(b.data(), at).and(m0).reinterpretAsFloats();
                    FloatVector w1 = words(b.data(), at + 4L * LANES).and(m1).reinterpretAsFloats();
                    FloatVector sum = FloatVector.fromArray(SPECIES, sums, r * LANES);
                    w1.fma(v1, w0.fma(v0, sum)).intoArray(sums, r * LANES);
                    at += stride;
                }
            }
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
