package io.github.rankine.engine.quant;

import io.github.rankine.engine.tensor.BlockScales;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Quantises the scales themselves (Dettmers et al. 2023, section 3) as bitsandbytes does: their mean is taken off, and blocks of 256 of
 * what is left get a scale, their largest magnitude, and codes of eight bits for the nearest values of a dynamic map.
 */
final class DoubleQuantization {
    private static final int BLOCK_SIZE = 256;

    /** Decimal orders of magnitude that the map spans. */
    private static final int EXPONENTS = 7;

    private static final float[] MAP = dynamicMap();
    private static final float[] MIDPOINTS = Nf4.midpoints(MAP);

    private DoubleQuantization() {}

    static BlockScales.Nested of(float[] scales, Arena arena) {
        // In order and in double precision, so that any implementation finds the same bits.
        double sum = 0;
        for (float scale : scales) {
            sum += scale;
        }
        float offset = scales.length == 0 ? 0 : (float) (sum / scales.length);
        float[] nested = new float[Math.ceilDiv(scales.length, BLOCK_SIZE)];
        MemorySegment codes = arena.allocate(Math.max(1, scales.length), 64);
        for (int block = 0; block < nested.length; block++) {
            int first = block * BLOCK_SIZE;
            int end = Math.min(scales.length, first + BLOCK_SIZE);
            for (int i = first; i < end; i++) {
                nested[block] = Math.max(nested[block], Math.abs(scales[i] - offset));
            }
            for (int i = first; i < end; i++) {
                float value = nested[block] == 0 ? 0 : (scales[i] - offset) / nested[block];
                codes.set(ValueLayout.JAVA_BYTE, i, (byte) Nf4.nearest(MIDPOINTS, value));
            }
        }
        return new BlockScales.Nested(codes, MAP, Quantization.plain(nested, arena), BLOCK_SIZE, offset, scales.length);
    }

    static BlockScales.Nested planned(long blocks) {
        return new BlockScales.Nested(
                MemorySegment.NULL,
                MAP,
                new BlockScales.Plain(MemorySegment.NULL, Math.ceilDiv(blocks, BLOCK_SIZE)),
                BLOCK_SIZE,
                0,
                blocks);
    }

    /**
     * 256 values, denser towards zero (Dettmers 2016, "8-Bit Approximations for Parallelism in Deep Learning"): for {@code i = 0 … 6} the
     * midpoints of {@code 2^i + 1} points evenly spaced from 0.1 to 1, times {@code 10^(i − 6)}, with both signs; 0 and 1.
     */
    private static float[] dynamicMap() {
        float[] map = new float[256];
        int count = 0;
        for (int i = 0; i < EXPONENTS; i++) {
            int intervals = 1 << i;
            float factor = (float) Math.pow(10, i + 1 - EXPONENTS);
            for (int j = 0; j < intervals; j++) {
                float value = factor * ((point(j, intervals) + point(j + 1, intervals)) / 2);
                map[count++] = value;
                map[count++] = -value;
            }
        }
        map[count++] = 0;
        map[count] = 1;
        Arrays.sort(map);
        return map;
    }

    /** A point of {@code intervals + 1} from 0.1 to 1, reckoned from the nearer end and rounded once, as PyTorch does. */
    private static float point(int j, int intervals) {
        float step = (1 - 0.1f) / intervals;
        return j < (intervals + 1) / 2 ? Math.fma(step, j, 0.1f) : Math.fma(-step, intervals - j, 1);
    }
}
