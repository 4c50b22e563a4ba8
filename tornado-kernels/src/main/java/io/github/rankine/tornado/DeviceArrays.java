package io.github.rankine.tornado;

import uk.ac.manchester.tornado.api.types.arrays.DoubleArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * The arrays that all kernels of a run work on. Tensors and weights are places in {@code floats} and {@code words}.
 *
 * @param state   where the layout has the next section's beginning, where the present section begins there, and integers that change from step to
 *                step
 * @param layout  programs: of each where its sections begin, then the parameters of their kernels
 * @param scalars constants ({@link Stored#constants}), and numbers that change from step to step
 * @param floats  tensors, float32 weights, and scales
 * @param words   weights of other types
 * @param results what is asked for in double precision
 */
record DeviceArrays(
        IntArray state, IntArray layout, FloatArray scalars, FloatArray floats, IntArray words, DoubleArray results) {
    static final int STATE = 1 << 20;
    static final int LAYOUT = 1 << 20;
    static final int SCALARS = 1 << 14;
    static final int RESULTS = 1 << 12;

    /** The first integer of the state that holds data. */
    static final int STATE_DATA = 2;
}
