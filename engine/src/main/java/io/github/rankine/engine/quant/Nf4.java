package io.github.rankine.engine.quant;

import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * NormalFloat codes (Dettmers et al. 2023): a block is divided by its largest magnitude, which is its scale, and each element becomes
 * the nearest of the sixteen values, of two equally near the lower.
 */
final class Nf4 {
    /** Code {@code c} is for what is above {@code MIDPOINTS[c − 1]} and not above {@code MIDPOINTS[c]}. */
    private static final float[] MIDPOINTS = midpoints(QuantizedType.nf4Values());

    private static final int ZERO = 7;

    /** Intervals of −1 … 1 so short that none, widened by its rounding, has two midpoints in it. */
    private static final int INTERVALS = 256;

    /** How many midpoints are below an interval: what a search would find in four unpredictable branches. */
    private static final byte[] BELOW = below();

    private static byte[] below() {
        byte[] below = new byte[INTERVALS + 1];
        for (int i = 0; i <= INTERVALS; i++) {
            below[i] = (byte) nearest(MIDPOINTS, (i - 0.01f) * 2 / INTERVALS - 1);
        }
        return below;
    }

    private Nf4() {}

    /** Points halfway between values in ascending order. */
    static float[] midpoints(float[] values) {
        float[] midpoints = new float[values.length - 1];
        for (int i = 0; i < midpoints.length; i++) {
            midpoints[i] = (values[i] + values[i + 1]) / 2;
        }
        return midpoints;
    }

    static float code(Weight weight, long first, int count, MemorySegment codes) {
        float scale = Quantization.largest(weight, first, count);
        for (int i = 0; i < count; i += 2) {
            int upper = code(weight.at(first + i), scale);
            int lower = i + 1 < count ? code(weight.at(first + i + 1), scale) : 0;
            codes.set(ValueLayout.JAVA_BYTE, (first + i) / 2, (byte) (upper << 4 | lower));
        }
        return scale;
    }

    private static int code(float value, float scale) {
        if (scale == 0) {
            return ZERO;
        }
        float x = value / scale;
        // Of a block with an infinity nothing is kept.
        int code = BELOW[Math.clamp((int) ((x + 1) * (INTERVALS / 2)), 0, INTERVALS)];
        return code < MIDPOINTS.length && x > MIDPOINTS[code] ? code + 1 : code;
    }

    /** How many midpoints are below {@code value}: the index of the nearest among the values that they lie between. */
    static int nearest(float[] midpoints, float value) {
        int low = 0;
        int high = midpoints.length;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (value > midpoints[middle]) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }
}
