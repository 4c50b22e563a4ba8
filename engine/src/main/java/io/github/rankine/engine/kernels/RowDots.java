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
 * Dot products of a vector with rows that are read in place, one after another as they lie in memory. One worker's memory.
 *
 * <p>Memory sets the pace only if the processor can look far ahead of the line it waits for, so a line costs as few instructions as
 * can be: what lies before a row's first unit and after its last is added afterwards, and the sums' lanes after that, for a block of rows
 * that the first cache still holds.
 */
final class RowDots {
    private static final VectorSpecies<Integer> INTS = SPECIES.withLanes(int.class);
    private static final int UNIT = RowVector.UNIT;
    private static final int UPPER = 0xFFFF0000;
    /** Rows whose sums are added up together. */
    private static final int BLOCK = LANES;

    /**
     * A step of the loops over a row. C2 unrolls loops whose step it knows and loads their lines in any order, which hides the stream from the
     * processor's prefetching; it does not know this one.
     */
    private final int step;

    /** A vector of sums for each row of a block. */
    private final float[] sums = new float[BLOCK * LANES];

    private final QuantizedDots quantizedDots = new QuantizedDots();
    private float[] unpacked = new float[0];

    RowDots(int step) {
        this.step = step;
    }

    /** {@code out[r] = Σ x[i] · b[first + r, i]} for {@code rows} rows; {@code out} has room for whole vectors. */
    void run(Operand b, long first, int rows, RowVector x, float[] out) {
        switch (b) {
            case Operand.Dense dense -> {
                if (x.count() < UNIT) {
                    few(dense, first, rows, x, out);
                } else if (dense.type() == DType.F16) {
                    unpackedDots(dense, first, rows, x, out);
                } else {
                    inPlace(dense, first, rows, x, out);
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

    private void inPlace(Operand.Dense b, long first, int rows, RowVector x, float[] out) {
        int size = b.type().bytes();
        long stride = size * b.stride();
        for (int r = 0; r < rows; r += BLOCK) {
            int count = Math.min(BLOCK, rows - r);
            long head = (first + r) * stride;
            long tail = head + (long) size * (x.count() - UNIT);
            for (int i = 0; i < count; i++) {
                long units = head + i * stride + (long) size * x.head();
                if (b.type() == DType.BF16) {
                    bf16(b.data(), units, x, i * LANES);
                } else {
                    f32(b.data(), units, x, i * LANES);
                }
            }
            if (x.head() > 0) {
                addEdges(b, head, count, x.values(), 0, x.firstMask());
            }
            if (x.tail() > 0) {
                addEdges(b, tail, count, x.values(), UNIT, x.lastMask());
            }
            VectorMath.sums(sums, 0, out, r);
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

    /** Adds a masked unit of each row, from byte {@code at} of the first. */
    private void addEdges(Operand.Dense b, long at, int rows, float[] v, int unit, int[] mask) {
        long stride = b.type().bytes() * b.stride();
        FloatVector v0 = FloatVector.fromArray(SPECIES, v, unit), v1 = FloatVector.fromArray(SPECIES, v, unit + LANES);
        IntVector m0 = IntVector.fromArray(INTS, mask, 0), m1 = IntVector.fromArray(INTS, mask, LANES);
        if (b.type() == DType.BF16) {
            for (int r = 0; r < rows; r++) {
                IntVector w = words(b.data(), at + r * stride).and(m0);
                FloatVector sum = FloatVector.fromArray(SPECIES, sums, r * LANES);
                odd(w).fma(v1, even(w).fma(v0, sum)).intoArray(sums, r * LANES);
            }
        } else {
            for (int r = 0; r < rows; r++) {
                FloatVector w0 = words(b.data(), at + r * stride).and(m0).reinterpretAsFloats();
                FloatVector w1 =
                        words(b.data(), at + r * stride + 4L * LANES).and(m1).reinterpretAsFloats();
                FloatVector sum = FloatVector.fromArray(SPECIES, sums, r * LANES);
                w1.fma(v1, w0.fma(v0, sum)).intoArray(sums, r * LANES);
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
