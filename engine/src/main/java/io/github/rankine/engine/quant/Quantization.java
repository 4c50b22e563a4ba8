package io.github.rankine.engine.quant;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.BlockScales;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.tensor.QuantizedWeight;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.stream.LongStream;

/**
 * Stores weights in few bits. Blocks are independent of one another, so they are made on all processors, and the result does not depend
 * on how many there are.
 */
public final class Quantization {
    /** Blocks of a task. */
    private static final int TASK = 256;

    private Quantization() {}

    /** Writes the codes of elements {@code first … first + count}, one block, and gives its scale. */
    @FunctionalInterface
    interface BlockCoder {
        float code(Weight weight, long first, int count, MemorySegment codes);
    }

    /** A copy of {@code weight} in {@code arena}, as {@link #quantize(String, Weight, QuantizedType, Arena, Arena)} makes it. */
    public static QuantizedWeight quantize(String name, Weight weight, QuantizedType type, Arena arena) {
        return quantize(name, weight, type, arena, arena);
    }

    /**
     * A copy of {@code weight}: NF4 with double quantisation, or INT8 with a float32 scale a block.
     *
     * @param name        of the weight, for messages
     * @param codesArena  for the codes
     * @param scalesArena for the scales, which take little memory beside the codes
     * @throws RankineException when an element is not a finite number
     */
    public static QuantizedWeight quantize(
            String name, Weight weight, QuantizedType type, Arena codesArena, Arena scalesArena) {
        int blockSize = type.blockSize();
        long blocks = QuantizedWeight.blocks(weight.size(), blockSize);
        MemorySegment codes = codesArena.allocate(Math.max(1, type.bytes(weight.size())), 64);
        float[] scales = new float[Math.toIntExact(blocks)];
        BlockCoder coder = switch (type) {
            case NF4 -> Nf4::code;
            case INT8 -> Int8::code;
        };
        LongStream.range(0, Math.ceilDiv(blocks, TASK)).parallel().forEach(task -> {
            for (long block = task * TASK; block < Math.min(blocks, (task + 1) * TASK); block++) {
                long first = block * blockSize;
                scales[(int) block] =
                        coder.code(weight, first, (int) Math.min(blockSize, weight.size() - first), codes);
            }
        });
        for (float scale : scales) {
            if (!Float.isFinite(scale)) {
                throw new RankineException("tensor '" + name + "': holds what is not a finite number, and cannot be"
                        + " quantised; is the checkpoint damaged?");
            }
        }
        BlockScales stored = switch (type) {
            case NF4 -> DoubleQuantization.of(scales, scalesArena);
            case INT8 -> plain(scales, scalesArena);
        };
        return new QuantizedWeight(type, weight.rows(), weight.cols(), codes, stored, blockSize);
    }

    /** The same from a shape alone, for planning. */
    public static QuantizedWeight planned(QuantizedType type, long rows, long cols) {
        long blocks = QuantizedWeight.blocks(Math.multiplyExact(rows, cols), type.blockSize());
        BlockScales scales = switch (type) {
            case NF4 -> DoubleQuantization.planned(blocks);
            case INT8 -> new BlockScales.Plain(MemorySegment.NULL, blocks);
        };
        return new QuantizedWeight(type, rows, cols, MemorySegment.NULL, scales, type.blockSize());
    }

    static BlockScales.Plain plain(float[] scales, Arena arena) {
        MemorySegment data = arena.allocate(Math.max(4, 4L * scales.length), 64);
        for (int i = 0; i < scales.length; i++) {
            data.set(BlockScales.FLOAT, 4L * i, scales[i]);
        }
        return new BlockScales.Plain(data, scales.length);
    }

    /** The largest magnitude among {@code count} elements; NaN if any is. */
    static float largest(Weight weight, long first, int count) {
        float largest = 0;
        for (int i = 0; i < count; i++) {
            largest = Math.max(largest, Math.abs(weight.at(first + i)));
        }
        return largest;
    }
}
