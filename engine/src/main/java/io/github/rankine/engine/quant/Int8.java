package io.github.rankine.engine.quant;

import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Symmetric codes of eight bits: multiples of a 127th of the block's largest magnitude, rounded to the nearest, ties to even. */
final class Int8 {
    private static final int MOST = 127;

    private Int8() {}

    static float code(Weight weight, long first, int count, MemorySegment codes) {
        float scale = Quantization.largest(weight, first, count) / MOST;
        for (int i = 0; i < count; i++) {
            double code = scale == 0 ? 0 : Math.rint(weight.at(first + i) / scale);
            codes.set(ValueLayout.JAVA_BYTE, first + i, (byte) Math.clamp(code, -MOST, MOST));
        }
        return scale;
    }
}
