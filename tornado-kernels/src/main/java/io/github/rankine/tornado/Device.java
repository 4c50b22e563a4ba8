package io.github.rankine.tornado;

import java.util.List;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** What runs kernels and holds their arrays. */
interface Device extends AutoCloseable {
    DeviceArrays arrays();

    /** Brings {@code count} numbers to the device. */
    void write(IntArray target, int at, int[] values, int count);

    void write(FloatArray target, int at, float[] values, int count);

    /** Brings {@code count} tensor elements to the host. */
    float[] readFloats(int at, int count);

    double[] readResults(int count);

    /** Bytes that came to the device so far. */
    long bytesIn();

    /** Bytes that went to the host so far. */
    long bytesOut();

    /** Runs the sections, whose layout is on the device, one after another. */
    void run(List<List<Launch>> sections);

    @Override
    void close();
}
