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
    private static final int EDGES = 16;

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
                        out[r] = quantizedDots.run(quantized.weight(), first + r, x.values(), 2 * UNIT);
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
                sum = Math.fma(weight, x.values()[2 * UNIT + i], sum);
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
        for (int i = 0; i < quarter; i++) {
            if (b.type() == DType.BF16) {
                bf16(b.data(), units + i * stride, quarter * stride, x, i * LANES, quarter * LANES);
            } else {
                f32(b.data(), units + i * stride, quarter * stride, x, i * LANES, quarter * LANES);
            }
            addEdges(b, first, i, STREAMS, quarter, x);
        }
        for (int i = STREAMS * quarter; i < rows; i += EDGES) {
            int end = Math.min(rows, i + EDGES);
            for (int r = i; r < end; r++) {
                if (b.type() == DType.BF16) {
                    bf16(b.data(), units + r * stride, x, r * LANES);
                } else {
                    f32(b.data(), units + r * stride, x, r * LANES);
                }
            }
            addEdges(b, first, i, end - i, 1, x);
        }
        for (int i = 0; i < rows; i += LANES) {
            VectorMath.sums(sums, i * LANES, out, i);
        }
    }

    private void f32(MemorySegment data, long from, RowVector x, int sum) {
        float[] v = x.values();
        FloatVector s0 = FloatVector.zero(SPECIES), s1 = s0;
        int count = x.count() - x.head() + UNIT;
        long at = from;
        for (int i = 2 * UNIT; i <= count; i += step) {
            s0 = Elements.load(data, at).fma(FloatVector.fromArray(SPECIES, v, i), s0);
            s1 = Elements.load(data, at + 4L * LANES).fma(FloatVector.fromArray(SPECIES, v, i + LANES), s1);
            at += 4L * step;
        }
        s0.add(s1).intoArray(sums, sum);
    }

    private void bf16(MemorySegment data, long from, RowVector x, int sum) {
        float[] v = x.values();
        FloatVector s0 = FloatVector.zero(SPECIES), s1 = s0;
        int count = x.count() - x.head() + UNIT;
        long at = from;
        for (int i = 2 * UNIT; i <= count; i += step) {
            IntVector w = words(data, at);
            s0 = even(w).fma(FloatVector.fromArray(SPECIES, v, i), s0);
            s1 = odd(w).fma(FloatVector.fromArray(SPECIES, v, i + LANES), s1);
            at += 2L * step;
        }
        s0.add(s1).intoArray(sums, sum);
    }

    private void f32(MemorySegment data, long from, long apart, RowVector x, int sum, int sumsApart) {
        float[] v = x.values();
        FloatVector a0 = FloatVector.zero(SPECIES), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
        int count = x.count() - x.head() + UNIT;
        long at = from;
        for (int i = 2 * UNIT; i <= count; i += step) {
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
        store(a0.add(a1), b0.add(b1), c0.add(c1), d0.add(d1), sum, sumsApart);
    }

    private void bf16(MemorySegment data, long from, long apart, RowVector x, int sum, int sumsApart) {
        float[] v = x.values();
        FloatVector a0 = FloatVector.zero(SPECIES), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
        int count = x.count() - x.head() + UNIT;
        long at = from;
        for (int i = 2 * UNIT; i <= count; i += step) {
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
        store(a0.add(a1), b0.add(b1), c0.add(c1), d0.add(d1), sum, sumsApart);
    }

    private void store(FloatVector a, FloatVector b, FloatVector c, FloatVector d, int sum, int apart) {
        a.intoArray(sums, sum);
        b.intoArray(sums, sum + apart);
        c.intoArray(sums, sum + 2 * apart);
        d.intoArray(sums, sum + 3 * apart);
    }

    /**
     * Adds what lies before the first unit and after the last, of {@code count} rows {@code apart}, of which the first's sum is the i-th. It
     * is one method for both ends because C2 gives a method of this size a compilation of its own: as two, it took them into their
     * caller, came to its limit there, and let vectors be objects.
     */
    private void addEdges(Operand.Dense b, long first, int i, int count, int apart, RowVector x) {
        int bytes = b.type().bytes();
        long stride = bytes * b.stride() * apart;
        for (int unit = 0; unit <= UNIT; unit += UNIT) {
            if ((unit == 0 ? x.head() : x.tail()) == 0) {
                continue;
            }
            int[] mask = unit == 0 ? x.firstMask() : x.lastMask();
            IntVector m0 = IntVector.fromArray(INTS, mask, 0), m1 = IntVector.fromArray(INTS, mask, LANES);
            FloatVector v0 = FloatVector.fromArray(SPECIES, x.values(), unit);
            FloatVector v1 = FloatVector.fromArray(SPECIES, x.values(), unit + LANES);
            long at = bytes * ((first + i) * b.stride() + (unit == 0 ? 0 : x.count() - UNIT));
            int to = i * LANES;
            if (b.type() == DType.BF16) {
                for (int r = 0; r < count; r++) {
                    IntVector w = words(b.data(), at).and(m0);
                    FloatVector sum = FloatVector.fromArray(SPECIES, sums, to);
                    odd(w).fma(v1, even(w).fma(v0, sum)).intoArray(sums, to);
                    at += stride;
                    to += apart * LANES;
                }
            } else {
                for (int r = 0; r < count; r++) {
                    FloatVector w0 = words(b.data(), at).and(m0).reinterpretAsFloats();
                    FloatVector w1 = words(b.data(), at + 4L * LANES).and(m1).reinterpretAsFloats();
                    FloatVector sum = FloatVector.fromArray(SPECIES, sums, to);
                    w1.fma(v1, w0.fma(v0, sum)).intoArray(sums, to);
                    at += stride;
                    to += apart * LANES;
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
            int at = i + 2 * UNIT;
            s0 = FloatVector.fromArray(SPECIES, unpacked, i).fma(FloatVector.fromArray(SPECIES, v, at), s0);
            s1 = FloatVector.fromArray(SPECIES, unpacked, i + LANES)
                    .fma(FloatVector.fromArray(SPECIES, v, at + LANES), s1);
        }
        float sum = VectorMath.sum(s0.add(s1));
        for (; i < x.count(); i++) {
            sum = Math.fma(unpacked[i], v[i + 2 * UNIT], sum);
        }
        return sum;
    }
}
