package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.tensor.QuantizedWeight;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** Dot products of a vector with rows of codes, a block at a time: nothing is unpacked into memory. One worker's memory. */
final class QuantizedDots {
    private float[] scales = new float[0];

    /** Whether rows are whole blocks, and blocks whole vectors. */
    static boolean areWholeBlocks(QuantizedWeight weight) {
        return Dequantization.VECTORS
                && weight.cols() % weight.blockSize() == 0
                && weight.blockSize() % (2 * LANES) == 0;
    }

    /** Whether the even elements of every {@code 2 · LANES} must go before the odd: bytes hold two codes. */
    static boolean separates(QuantizedWeight weight) {
        return weight.type() == QuantizedType.NF4 && areWholeBlocks(weight);
    }

    /** {@code Σ x[at + i] · weight[row, i]}; for NF4 with the elements of {@code x} where {@link #separates} says. */
    float run(QuantizedWeight weight, long row, float[] x, int at) {
        int blockSize = weight.blockSize();
        int blocks = (int) (weight.cols() / blockSize);
        if (scales.length < blocks) {
            scales = new float[blocks];
        }
        weight.scales().read(row * blocks, blocks, scales);
        long first = row * weight.cols();
        return switch (weight.type()) {
            case NF4 -> nf4(weight.codes(), first / 2, scales, blocks, blockSize, x, at);
            case INT8 -> int8(weight.codes(), first, scales, blocks, blockSize, x, at);
        };
    }

    private static float nf4(
            MemorySegment codes, long byteAt, float[] scales, int blocks, int blockSize, float[] x, int at) {
        FloatVector sum = FloatVector.zero(SPECIES);
        for (int block = 0; block < blocks; block++) {
            FloatVector s0 = FloatVector.zero(SPECIES), s1 = s0;
            for (int i = block * blockSize; i < (block + 1) * blockSize; i += 2 * LANES) {
                IntVector bytes = Dequantization.bytes(codes, byteAt + i / 2);
                s0 = Dequantization.nf4(bytes.lanewise(VectorOperators.LSHR, 4))
                        .fma(FloatVector.fromArray(SPECIES, x, at + i), s0);
                s1 = Dequantization.nf4(bytes.and(15)).fma(FloatVector.fromArray(SPECIES, x, at + i + LANES), s1);
            }
            sum = s0.add(s1).fma(FloatVector.broadcast(SPECIES, scales[block]), sum);
        }
        return VectorMath.sum(sum);
    }

    private static float int8(
            MemorySegment codes, long byteAt, float[] scales, int blocks, int blockSize, float[] x, int at) {
        FloatVector sum = FloatVector.zero(SPECIES);
        for (int block = 0; block < blocks; block++) {
            FloatVector s0 = FloatVector.zero(SPECIES), s1 = s0;
            for (int i = block * blockSize; i < (block + 1) * blockSize; i += 2 * LANES) {
                s0 = Dequantization.int8Vector(codes, byteAt + i).fma(FloatVector.fromArray(SPECIES, x, at + i), s0);
                s1 = Dequantization.int8Vector(codes, byteAt + i + LANES)
                        .fma(FloatVector.fromArray(SPECIES, x, at + i + LANES), s1);
            }
            sum = s0.add(s1).fma(FloatVector.broadcast(SPECIES, scales[block]), sum);
        }
        return VectorMath.sum(sum);
    }
}
