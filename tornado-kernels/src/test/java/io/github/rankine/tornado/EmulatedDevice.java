package io.github.rankine.tornado;

import java.util.ArrayList;
import java.util.List;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** A device of plain Java. */
final class EmulatedDevice implements Device {
    private final DeviceArrays arrays;
    private final List<String> graphs = new ArrayList<>();
    private long bytesIn;
    private long bytesOut;

    EmulatedDevice(int floats, int words) {
        arrays = DeviceArrays.around(new FloatArray(floats), new IntArray(words));
    }

    /** The graphs that ran, in order, by their kernels. */
    List<String> graphs() {
        return graphs;
    }

    /** Devices of which so many bytes may be taken. */
    static DeviceSource source(long memory) {
        return new DeviceSource() {
            @Override
            public Device open(int floats, int words) {
                return new EmulatedDevice(floats, words);
            }

            @Override
            public long memory() {
                return memory;
            }

            @Override
            public long unplanned() {
                return memory;
            }

            @Override
            public String allowance() {
                return "the emulated device has";
            }
        };
    }

    @Override
    public DeviceArrays arrays() {
        return arrays;
    }

    @Override
    public void write(IntArray target, int at, int[] values, int count) {
        for (int i = 0; i < count; i++) {
            target.set(at + i, values[i]);
        }
        bytesIn += 4L * count;
    }

    @Override
    public void write(FloatArray target, int at, float[] values, int count) {
        for (int i = 0; i < count; i++) {
            target.set(at + i, values[i]);
        }
        bytesIn += 4L * count;
    }

    @Override
    public float[] readFloats(int at, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = arrays.floats().get(at + i);
        }
        bytesOut += 4L * count;
        return values;
    }

    @Override
    public double[] readResults(int count) {
        double[] values = new double[count];
        for (int i = 0; i < count; i++) {
            values[i] = arrays.results().get(i);
        }
        bytesOut += 8L * count;
        return values;
    }

    @Override
    public long bytesIn() {
        return bytesIn;
    }

    @Override
    public long bytesOut() {
        return bytesOut;
    }

    @Override
    public void run(List<List<Launch>> sections) {
        for (List<Launch> section : sections) {
            graphs.add(Launch.signature(section));
            IntArray state = arrays.state();
            int number = state.get(0);
            state.set(1, arrays.layout().get(number));
            state.set(0, number + 1);
            for (int i = 0; i < section.size(); i++) {
                EmulatedContext.run(section.get(i), arrays, arrays.tasks().get(i));
            }
        }
    }

    @Override
    public void close() {}
}
