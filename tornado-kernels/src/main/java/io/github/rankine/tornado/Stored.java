package io.github.rankine.tornado;

import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Reading weights in the type that they are stored in. A weight's four parameters are its kind, where it begins (in elements of the array
 * that it lies in), where its scales begin and how many elements share one.
 */
final class Stored {
    static final int F32 = 0;
    static final int BF16 = 1;
    static final int INT8 = 2;
    static final int NF4 = 3;

    /** Where the constants of a run begin in its scalars: powers of two by a bfloat16's upper nine bits, then NF4's values. */
    static final int POWERS = 0;

    static final int NF4_VALUES = 512;
    static final int CONSTANTS = 528;

    private Stored() {}

    /**
     * The element {@code i}, counted row by row. TornadoVM's OpenCL compiler has no {@code intBitsToFloat} inside an expression: a
     * bfloat16 is its power of two, from a table, times its mantissa, which is exact.
     */
    static float at(FloatArray floats, IntArray words, FloatArray scalars, IntArray layout, int weight, int i) {
        int kind = layout.get(weight);
        int base = layout.get(weight + 1);
        if (kind == F32) {
            return floats.get(base + i);
        }
        if (kind == BF16) {
            int bits = (words.get(base + i / 2) >> (16 * (i % 2))) & 0xFFFF;
            int power = bits / 128;
            int mantissa = bits % 128;
            if (power % 256 != 0) {
                mantissa += 128;
            }
            return scalars.get(POWERS + power) * mantissa;
        }
        float scale = floats.get(layout.get(weight + 2) + i / layout.get(weight + 3));
        if (kind == INT8) {
            int code = (words.get(base + i / 4) >> (8 * (i % 4))) & 0xFF;
            if (code > 127) {
                code -= 256;
            }
            return code * scale;
        }
        int code = (words.get(base + i / 8) >> (8 * (i / 2 % 4) + 4 - 4 * (i % 2))) & 15;
        return scalars.get(NF4_VALUES + code) * scale;
    }

    /** The constants, for the head of the scalars. */
    static float[] constants(float[] nf4Values) {
        float[] constants = new float[CONSTANTS];
        for (int i = 0; i < 512; i++) {
            int exponent = Math.max(1, i % 256);
            // An exponent of all ones is infinity; its mantissa as a factor leaves it so.
            float power = exponent == 255 ? Float.POSITIVE_INFINITY : (float) Math.scalb(1.0, exponent - 134);
            constants[POWERS + i] = i < 256 ? power : -power;
        }
        System.arraycopy(nf4Values, 0, constants, NF4_VALUES, 16);
        return constants;
    }
}
