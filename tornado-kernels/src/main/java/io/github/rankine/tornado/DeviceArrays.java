package io.github.rankine.tornado;

import java.util.List;
import java.util.stream.IntStream;
import uk.ac.manchester.tornado.api.types.arrays.DoubleArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * The arrays that all kernels of a run work on. Tensors and weights are places in {@code floats} and {@code words}.
 *
 * @param state   where the layout has the next section's beginning, where the present section begins there, and integers that change from step to
 *                step
 * @param layout  programs: of each where its sections begin, then the sections: where in it the parameters of each of its tasks begin, then
 *                these
 * @param scalars constants ({@link Stored#constants}), and numbers that change from step to step
 * @param floats  tensors, float32 weights, and scales
 * @param words   weights of other types
 * @param results what is asked for in double precision
 * @param tasks   of each number of a task an array that holds it
 */
record DeviceArrays(
        IntArray state,
        IntArray layout,
        FloatArray scalars,
        FloatArray floats,
        IntArray words,
        DoubleArray results,
        List<IntArray> tasks) {
    static final int STATE = 1 << 20;
    static final int LAYOUT = 1 << 20;
    static final int SCALARS = 1 << 14;
    static final int RESULTS = 1 << 12;

    /** The first integer of the state that holds data. */
    static final int STATE_DATA = 2;

    /** Those of a device whose large arrays these are. */
    static DeviceArrays around(FloatArray floats, IntArray words) {
        return new DeviceArrays(
                new IntArray(STATE),
                new IntArray(LAYOUT),
                new FloatArray(SCALARS),
                floats,
                words,
                new DoubleArray(RESULTS),
                IntStream.range(0, Program.LONGEST)
                        .mapToObj(IntArray::fromElements)
                        .toList());
    }
}
