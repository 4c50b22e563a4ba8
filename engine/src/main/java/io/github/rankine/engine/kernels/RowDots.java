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

/** Dot products of a vector with rows that are read in place, one after another as they lie in memory. One worker's memory. */
final class RowDots {
    private static final VectorSpecies<Integer> INTS = SPECIES.withLanes(int.class);
    private static final int UNIT = RowVector.UNIT;
    private static final int UPPER = 0xFFFF0000;

    private final QuantizedDots quantizedDots = new QuantizedDots();
    private float[] unpacked = new float[0];

    /** {@code out[r] = Σ x[i] · b[first + r, i]} for {@code rows} rows. */
    void run(Operand b, long first, int rows, RowVector x, float[] out) {
        switch (b) {
            case Operand.Dense dense -> {
                for (int r = 0; r < rows; r++) {
                    out[r] = dot(dense, (first + r) * dense.stride(), x);
                }
            }
            case Operand.Quantized quantized -> {
                reserve(x.count());
                for (int r = 0; r < rows; r++) {
                    out[r] = QuantizedDots.areWholeBlocks(quantized.weight())
                            ? quantizedDots.run(quantized.weight(), first + r, x.values(), 2 * UNIT)
                            : unpackedDot(quantized, first + r, x);
                }
            }
        }
    }

    private float unpackedDot(Operand.Quantized b, long row, RowVector x) {
        b.read(row, 0, unpacked, 0, x.count());
        return heap(unpacked, 0, x.values(), 2 * UNIT, x.count());
    }

    private void reserve(int count) {
        if (unpacked.length < count) {
            unpacked = new float[count];
        }
    }

    private float dot(Operand.Dense b, long row, RowVector x) {
        if (x.count() < UNIT) {
            float sum = 0;
            for (int i = 0; i < x.count(); i++) {
                sum = Math.fma(b.type().read(b.data(), row + i), x.values()[2 * UNIT + i], sum);
            }
            return sum;
        }
        return switch (b.type()) {
            case F32 -> f32(b.data(), 4 * row, x);
            case BF16 -> bf16(b.data(), 2 * row, x);
            case F16 -> {
                reserve(x.count());
                Unpack.row(DType.F16, b.data(), row, unpacked, 0, x.count());
                yield heap(unpacked, 0, x.values(), 2 * UNIT, x.count());
            }
        };
    }

    /** The same for float32 rows on the heap. */
    static void run(
            float[] data,
            int index,
            int stride,
            int rows,
            float[] x,
            int offset,
            int count,
            float[] out,
            int outOffset) {
        for (int r = 0; r < rows; r++) {
            out[outOffset + r] = heap(data, index + r * stride, x, offset, count);
        }
    }

    private static float f32(MemorySegment data, long at, RowVector x) {
        float[] v = x.values();
        FloatVector s0 = FloatVector.zero(SPECIES), s1 = s0;
        if (x.head() > 0) {
            s0 = kept(data, at, x.firstMask(), 0).mul(FloatVector.fromArray(SPECIES, v, 0));
        }
        if (x.tail() > 0) {
            long a = at + 4L * (x.count() - UNIT);
            s0 = kept(data, a, x.lastMask(), 0).fma(FloatVector.fromArray(SPECIES, v, UNIT), s0);
            s1 = kept(data, a + 4L * LANES, x.lastMask(), LANES).mul(FloatVector.fromArray(SPECIES, v, UNIT + LANES));
        }
        long from = at + 4L * x.head();
        int count = x.count() - x.head() + UNIT;
        for (int i = 2 * UNIT; i <= count; i += UNIT) {
            long a = from + 4L * (i - 2 * UNIT);
            s0 = Elements.load(data, a).fma(FloatVector.fromArray(SPECIES, v, i), s0);
            s1 = Elements.load(data, a + 4L * LANES).fma(FloatVector.fromArray(SPECIES, v, i + LANES), s1);
        }
        return VectorMath.sum(s0.add(s1));
    }

    private static float bf16(MemorySegment data, long at, RowVector x) {
        float[] v = x.values();
        FloatVector s0 = FloatVector.zero(SPECIES), s1 = s0;
        if (x.head() > 0) {
            IntVector w = words(data, at).and(IntVector.fromArray(INTS, x.firstMask(), 0));
            s0 = even(w).mul(FloatVector.fromArray(SPECIES, v, 0));
            s1 = odd(w).mul(FloatVector.fromArray(SPECIES, v, LANES));
        }
        if (x.tail() > 0) {
            IntVector w = words(data, at + 2L * (x.count() - UNIT)).and(IntVector.fromArray(INTS, x.lastMask(), 0));
            s0 = even(w).fma(FloatVector.fromArray(SPECIES, v, UNIT), s0);
            s1 = odd(w).fma(FloatVector.fromArray(SPECIES, v, UNIT + LANES), s1);
        }
        long from = at + 2L * x.head();
        int count = x.count() - x.head() + UNIT;
        for (int i = 2 * UNIT; i <= count; i += UNIT) {
            IntVector w = words(data, from + 2L * (i - 2 * UNIT));
            s0 = even(w).fma(FloatVector.fromArray(SPECIES, v, i), s0);
            s1 = odd(w).fma(FloatVector.fromArray(SPECIES, v, i + LANES), s1);
        }
        return VectorMath.sum(s0.add(s1));
    }

    private static FloatVector kept(MemorySegment data, long at, int[] mask, int from) {
        return words(data, at).and(IntVector.fromArray(INTS, mask, from)).reinterpretAsFloats();
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

    private static float heap(float[] row, int at, float[] x, int offset, int count) {
        FloatVector s0 = FloatVector.zero(SPECIES), s1 = s0;
        int i = 0;
        for (; i <= count - UNIT; i += UNIT) {
            s0 = FloatVector.fromArray(SPECIES, row, at + i).fma(FloatVector.fromArray(SPECIES, x, offset + i), s0);
            s1 = FloatVector.fromArray(SPECIES, row, at + i + LANES)
                    .fma(FloatVector.fromArray(SPECIES, x, offset + i + LANES), s1);
        }
        float sum = VectorMath.sum(s0.add(s1));
        for (; i < count; i++) {
            sum = Math.fma(row[at + i], x[offset + i], sum);
        }
        return sum;
    }
}
