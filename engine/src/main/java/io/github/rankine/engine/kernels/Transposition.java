package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.Lanes.SWAP_1;
import static io.github.rankine.engine.kernels.Lanes.SWAP_2;
import static io.github.rankine.engine.kernels.Lanes.SWAP_4;
import static io.github.rankine.engine.kernels.Lanes.SWAP_8;
import static io.github.rankine.engine.kernels.Lanes.UPPER_1;
import static io.github.rankine.engine.kernels.Lanes.UPPER_2;
import static io.github.rankine.engine.kernels.Lanes.UPPER_4;
import static io.github.rankine.engine.kernels.Lanes.UPPER_8;
import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.LDA;
import static io.github.rankine.engine.kernels.MicroKernel.NR;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Transposes matrices in blocks of LANES × LANES: an exchange between the vectors of a pair swaps a quarter of their lanes with each
 * other's, and the exchanges at all distances that are powers of two are the transposition (Eklundh 1972). Two distances are
 * done in one pass over the block.
 */
final class Transposition {
    /** Passes that bring a block's rows in: four rows at a time with 512 bits, two with 256, else one. */
    private static final int STEPS = LANES == 16 || LANES == 8 ? 4 : LANES;

    private final float[] block = new float[LANES * LANES];

    /** {@code out[c, r] = in[r, c]} for any number of rows and columns; rows outside whole blocks element by element. */
    void run(float[] in, int at, int stride, int rows, int cols, float[] out, int outAt, int outStride) {
        int r = 0;
        for (; r <= rows - LANES; r += LANES) {
            run(in, at + r * stride, stride, cols, out, outAt + r, outStride);
        }
        for (; r < rows; r++) {
            for (int c = 0; c < cols; c++) {
                out[outAt + c * outStride + r] = in[at + r * stride + c];
            }
        }
    }

    /** {@code out[d, NR] = in[r, LDA]ᵀ} for {@code width} rows; columns of {@code out} past them are zero. */
    void panel(float[] in, int width, int depth, float[] out, int outAt) {
        run(in, 0, LDA, width, depth, out, outAt, NR);
        if (width < NR) {
            for (int d = 0; d < depth; d++) {
                Arrays.fill(out, outAt + d * NR + width, outAt + (d + 1) * NR, 0f);
            }
        }
    }

    /**
     * {@code out[c, r] = in[r, c]} for {@code LANES} rows and {@code cols} columns. Each row of {@code out} is written as a whole vector,
     * in order, so that rows may overlap: what is beyond {@code outStride} is overwritten by the row after, or lies behind the last.
     */
    void run(float[] in, int at, int stride, int cols, float[] out, int outAt, int outStride) {
        int c = 0;
        for (; c <= cols - LANES; c += LANES) {
            for (int step = 0; step < STEPS; step++) {
                int row = at + c + step * stride;
                if (LANES == 16) {
                    exchange84(
                            FloatVector.fromArray(SPECIES, in, row),
                            FloatVector.fromArray(SPECIES, in, row + 4 * stride),
                            FloatVector.fromArray(SPECIES, in, row + 8 * stride),
                            FloatVector.fromArray(SPECIES, in, row + 12 * stride),
                            block,
                            step * LANES);
                } else if (LANES == 8) {
                    exchange4(
                            FloatVector.fromArray(SPECIES, in, row),
                            FloatVector.fromArray(SPECIES, in, row + 4 * stride),
                            block,
                            step * LANES);
                } else {
                    FloatVector.fromArray(SPECIES, in, row).intoArray(block, step * LANES);
                }
            }
            finish(out, outAt + c * outStride, outStride);
        }
        for (; c < cols; c++) {
            for (int r = 0; r < LANES; r++) {
                out[outAt + c * outStride + r] = in[at + r * stride + c];
            }
        }
    }

    /** The types whose rows can be read where they lie. */
    static boolean reads(DType type) {
        return type == DType.F32 || type == DType.BF16;
    }

    /**
     * The same, of rows {@code stride} stored elements apart, the first one from element {@code index} of {@code data}, of a type that
     * {@link #reads} names. Each type is brought in by a method of its own: vectors that come from one of several places would be objects
     * on the heap.
     */
    void run(DType type, MemorySegment data, long index, long stride, int cols, float[] out, int outAt, int outStride) {
        int size = type.bytes();
        int c = 0;
        for (; c <= cols - LANES; c += LANES) {
            for (int step = 0; step < STEPS; step++) {
                long at = size * (index + c + step * stride);
                if (type == DType.BF16) {
                    bringBf16(data, at, size * stride, step * LANES);
                } else {
                    bringF32(data, at, size * stride, step * LANES);
                }
            }
            finish(out, outAt + c * outStride, outStride);
        }
        for (; c < cols; c++) {
            for (int r = 0; r < LANES; r++) {
                out[outAt + c * outStride + r] = type.read(data, index + c + r * stride);
            }
        }
    }

    /** One step's rows, the first from byte {@code at} and all {@code stride} bytes apart, exchanged at the larger distances, to the block. */
    private void bringF32(MemorySegment data, long at, long stride, int to) {
        if (LANES == 16) {
            exchange84(
                    Unpack.floats(data, at),
                    Unpack.floats(data, at + 4 * stride),
                    Unpack.floats(data, at + 8 * stride),
                    Unpack.floats(data, at + 12 * stride),
                    block,
                    to);
        } else if (LANES == 8) {
            exchange4(Unpack.floats(data, at), Unpack.floats(data, at + 4 * stride), block, to);
        } else {
            Unpack.floats(data, at).intoArray(block, to);
        }
    }

    private void bringBf16(MemorySegment data, long at, long stride, int to) {
        if (LANES == 16) {
            exchange84(
                    Unpack.bf16s(data, at),
                    Unpack.bf16s(data, at + 4 * stride),
                    Unpack.bf16s(data, at + 8 * stride),
                    Unpack.bf16s(data, at + 12 * stride),
                    block,
                    to);
        } else if (LANES == 8) {
            exchange4(Unpack.bf16s(data, at), Unpack.bf16s(data, at + 4 * stride), block, to);
        } else {
            Unpack.bf16s(data, at).intoArray(block, to);
        }
    }

    /** From the block, exchanged at the larger distances, to {@code out}. */
    private void finish(float[] out, int outAt, int outStride) {
        if (LANES >= 4 && LANES <= 16) {
            for (int r = 0; r < LANES; r += 4) {
                exchange21(block, r * LANES, out, outAt + r * outStride, outStride);
            }
            return;
        }
        for (int c = 0; c < LANES; c++) {
            for (int r = 0; r < LANES; r++) {
                out[outAt + c * outStride + r] = block[r * LANES + c];
            }
        }
    }

    /** Distances 8 and 4 between rows {@code r, r + 4, r + 8, r + 12}. */
    private static void exchange84(FloatVector a, FloatVector b, FloatVector c, FloatVector d, float[] out, int at) {
        FloatVector ac = a.blend(c.rearrange(SWAP_8), UPPER_8);
        FloatVector ca = a.rearrange(SWAP_8).blend(c, UPPER_8);
        FloatVector bd = b.blend(d.rearrange(SWAP_8), UPPER_8);
        FloatVector db = b.rearrange(SWAP_8).blend(d, UPPER_8);
        ac.blend(bd.rearrange(SWAP_4), UPPER_4).intoArray(out, at);
        ac.rearrange(SWAP_4).blend(bd, UPPER_4).intoArray(out, at + 4 * LANES);
        ca.blend(db.rearrange(SWAP_4), UPPER_4).intoArray(out, at + 8 * LANES);
        ca.rearrange(SWAP_4).blend(db, UPPER_4).intoArray(out, at + 12 * LANES);
    }

    /** Distance 4 between rows {@code r, r + 4}. */
    private static void exchange4(FloatVector a, FloatVector b, float[] out, int at) {
        a.blend(b.rearrange(SWAP_4), UPPER_4).intoArray(out, at);
        a.rearrange(SWAP_4).blend(b, UPPER_4).intoArray(out, at + 4 * LANES);
    }

    /** Distances 2 and 1 between four rows after one another. */
    private static void exchange21(float[] in, int at, float[] out, int outAt, int outStride) {
        FloatVector a = FloatVector.fromArray(SPECIES, in, at);
        FloatVector b = FloatVector.fromArray(SPECIES, in, at + LANES);
        FloatVector c = FloatVector.fromArray(SPECIES, in, at + 2 * LANES);
        FloatVector d = FloatVector.fromArray(SPECIES, in, at + 3 * LANES);
        FloatVector ac = a.blend(c.rearrange(SWAP_2), UPPER_2);
        FloatVector ca = a.rearrange(SWAP_2).blend(c, UPPER_2);
        FloatVector bd = b.blend(d.rearrange(SWAP_2), UPPER_2);
        FloatVector db = b.rearrange(SWAP_2).blend(d, UPPER_2);
        ac.blend(bd.rearrange(SWAP_1), UPPER_1).intoArray(out, outAt);
        ac.rearrange(SWAP_1).blend(bd, UPPER_1).intoArray(out, outAt + outStride);
        ca.blend(db.rearrange(SWAP_1), UPPER_1).intoArray(out, outAt + 2 * outStride);
        ca.rearrange(SWAP_1).blend(db, UPPER_1).intoArray(out, outAt + 3 * outStride);
    }
}
