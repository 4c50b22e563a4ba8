package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Tensor;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** Dropout by hashing: {@link Dropout#keeps} for each element of a tensor, as many at a time as a vector has longs. */
final class DropoutKernel {
    private static final VectorSpecies<Long> LONGS = SPECIES.withLanes(long.class);
    private static final VectorSpecies<Float> HALF =
            VectorSpecies.of(float.class, VectorShape.forBitSize(SPECIES.vectorBitSize() / 2));
    private static final LongVector STEPS = LongVector.zero(LONGS).addIndex(1).mul(Dropout.GOLDEN_GAMMA);
    private static final int BLOCK = 512;

    private final Workers workers;
    private final float[][] blocks;

    DropoutKernel(Workers workers) {
        this.workers = workers;
        blocks = new float[workers.count()][BLOCK];
    }

    void dropout(Tensor x, Tensor y, float probability, long seed, boolean accumulate) {
        float scale = 1f / (1f - probability);
        // uniform ≥ probability in the 24 bits that uniform is made of; the product is exact.
        long threshold = (long) Math.ceil(probability * 0x1p24);
        long cols = x.cols();
        Pieces.elements(
                workers,
                (row, col, count, worker) -> {
                    float[] block = blocks[worker];
                    for (int i = 0; i < count; i += BLOCK) {
                        int width = Math.min(BLOCK, count - i);
                        long at = col + i;
                        Unpack.row(DType.F32, x.segment(), row * x.stride() + at, block, 0, width);
                        drop(block, width, Dropout.state(seed, row * cols + at), threshold, scale);
                        Elements.writeRow(block, 0, width, y.segment(), y.offset(row, at), 1f, accumulate);
                    }
                },
                x,
                y);
    }

    /** Scales what is kept and clears the rest of {@code count} elements, rounded up to whole vectors. */
    private static void drop(float[] x, int count, long state, long threshold, float scale) {
        for (int i = 0; i < count; i += HALF.length()) {
            LongVector z = STEPS.add(state + i * Dropout.GOLDEN_GAMMA);
            z = z.lanewise(VectorOperators.XOR, z.lanewise(VectorOperators.LSHR, 30))
                    .mul(Dropout.MIX_1);
            z = z.lanewise(VectorOperators.XOR, z.lanewise(VectorOperators.LSHR, 27))
                    .mul(Dropout.MIX_2);
            z = z.lanewise(VectorOperators.XOR, z.lanewise(VectorOperators.LSHR, 31));
            VectorMask<Float> dropped = z.lanewise(VectorOperators.LSHR, 40)
                    .compare(VectorOperators.LT, threshold)
                    .cast(HALF);
            FloatVector.fromArray(HALF, x, i).mul(scale).blend(0f, dropped).intoArray(x, i);
        }
    }
}
