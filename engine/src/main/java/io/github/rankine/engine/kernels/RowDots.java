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
    /** Elements of a vector of words, each two elements of bfloat16. */
    private static final int PAIRS = 2 * LANES;

    private static final int UPPER = 0xFFFF0000;

    private float[] unpacked = new float[0];

    /**
     * Brings a vector into the order in which rows of {@code type} are multiplied with it: for bfloat16, the even elements of every
     * PAIRS and then the odd ones, for a word holds one of each.
     */
    static void arrange(DType type, float[] x, int offset, int count) {
        if (type != DType.BF16) {
            return;
        }
        float[] odd = new float[LANES];
        for (int at = offset; at <= offset + count - PAIRS; at += PAIRS) {
            for (int i = 0; i < LANES; i++) {
                odd[i] = x[at + 2 * i + 1];
                x[at + i] = x[at + 2 * i];
            }
            System.arraycopy(odd, 0, x, at + LANES, LANES);
        }
    }

    /**
     * {@code out[r] = Σ x[i] · row_r[i]} for {@code rows} rows.
     *
     * @param index  the first row's first element in {@code data}
     * @param stride elements from one row to the next
     * @param x      arranged for {@code type}
     */
    void run(
            DType type,
            MemorySegment data,
            long index,
            long stride,
            int rows,
            float[] x,
            int offset,
            int count,
            float[] out,
            int outOffset) {
        for (int r = 0; r < rows; r++) {
            long row = index + r * stride;
            float sum = wholePairs(type, data, row, x, offset, count);
            for (int i = count / PAIRS * PAIRS; i < count; i++) {
                sum = Math.fma(type.read(data, row + i), x[offset + i], sum);
            }
            out[outOffset + r] = sum;
        }
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
            int row = index + r * stride;
            float sum = heap(data, row, x, offset, count);
            for (int i = count / PAIRS * PAIRS; i < count; i++) {
                sum = Math.fma(data[row + i], x[offset + i], sum);
            }
            out[outOffset + r] = sum;
        }
    }

    private float wholePairs(DType type, MemorySegment data, long index, float[] x, int offset, int count) {
        return switch (type) {
            case F32 -> f32(data, 4 * index, x, offset, count);
            case BF16 -> bf16(data, 2 * index, x, offset, count);
            case F16 -> {
                if (unpacked.length < count) {
                    unpacked = new float[count];
                }
                Unpack.row(DType.F16, data, index, unpacked, 0, count / PAIRS * PAIRS);
                yield heap(unpacked, 0, x, offset, count);
            }
        };
    }

    private static float f32(MemorySegment data, long at, float[] x, int offset, int count) {
        FloatVector s0 = FloatVector.zero(SPECIES), s1 = s0, s2 = s0, s3 = s0;
        int i = 0;
        for (; i <= count - 4 * LANES; i += 4 * LANES) {
            long a = at + 4L * i;
            int b = offset + i;
            s0 = Elements.load(data, a).fma(FloatVector.fromArray(SPECIES, x, b), s0);
            s1 = Elements.load(data, a + 4L * LANES).fma(FloatVector.fromArray(SPECIES, x, b + LANES), s1);
            s2 = Elements.load(data, a + 8L * LANES).fma(FloatVector.fromArray(SPECIES, x, b + 2 * LANES), s2);
            s3 = Elements.load(data, a + 12L * LANES).fma(FloatVector.fromArray(SPECIES, x, b + 3 * LANES), s3);
        }
        if (i <= count - PAIRS) {
            long a = at + 4L * i;
            int b = offset + i;
            s0 = Elements.load(data, a).fma(FloatVector.fromArray(SPECIES, x, b), s0);
            s1 = Elements.load(data, a + 4L * LANES).fma(FloatVector.fromArray(SPECIES, x, b + LANES), s1);
        }
        return VectorMath.sum(s0.add(s1).add(s2.add(s3)));
    }

    private static float bf16(MemorySegment data, long at, float[] x, int offset, int count) {
        FloatVector s0 = FloatVector.zero(SPECIES), s1 = s0, s2 = s0, s3 = s0;
        int i = 0;
        for (; i <= count - 2 * PAIRS; i += 2 * PAIRS) {
            int b = offset + i;
            IntVector w = words(data, at + 2L * i);
            s0 = even(w).fma(FloatVector.fromArray(SPECIES, x, b), s0);
            s1 = odd(w).fma(FloatVector.fromArray(SPECIES, x, b + LANES), s1);
            w = words(data, at + 2L * (i + PAIRS));
            s2 = even(w).fma(FloatVector.fromArray(SPECIES, x, b + 2 * LANES), s2);
            s3 = odd(w).fma(FloatVector.fromArray(SPECIES, x, b + 3 * LANES), s3);
        }
        if (i <= count - PAIRS) {
            int b = offset + i;
            IntVector w = words(data, at + 2L * i);
            s0 = even(w).fma(FloatVector.fromArray(SPECIES, x, b), s0);
            s1 = odd(w).fma(FloatVector.fromArray(SPECIES, x, b + LANES), s1);
        }
        return VectorMath.sum(s0.add(s1).add(s2.add(s3)));
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
        for (int i = 0; i <= count - PAIRS; i += PAIRS) {
            s0 = FloatVector.fromArray(SPECIES, row, at + i).fma(FloatVector.fromArray(SPECIES, x, offset + i), s0);
            s1 = FloatVector.fromArray(SPECIES, row, at + i + LANES)
                    .fma(FloatVector.fromArray(SPECIES, x, offset + i + LANES), s1);
        }
        return VectorMath.sum(s0.add(s1));
    }
}
