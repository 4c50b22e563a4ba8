package io.github.rankine.tornado;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/** Kernels that were asked for and have not run yet, in sections, and the numbers that they read. */
final class Program {
    /** A section's longest list of kernels: TornadoVM's buffer for a graph is small. */
    private static final int LONGEST = 48;

    private final Device device;
    private final List<List<Launch>> sections = new ArrayList<>();
    private final int[] state = new int[DeviceArrays.STATE];
    private final float[] scalars = new float[DeviceArrays.SCALARS];
    private final Map<int[], Integer> placed = new IdentityHashMap<>();
    private int[] layoutOnDevice = {};
    private int parameters;
    private int stateEnd = DeviceArrays.STATE_DATA;
    private int scalarsEnd = Stored.CONSTANTS;

    Program(Device device) {
        this.device = device;
    }

    /** Room for one more kernel and its numbers; runs what there is if need be. */
    void reserve() {
        boolean full = stateEnd > state.length / 2
                || scalarsEnd + 32 > scalars.length
                || parameters + 4 * sections.size() + 256 > DeviceArrays.LAYOUT;
        if (full) {
            run();
        }
    }

    void add(Launch launch) {
        if (sections.isEmpty() || sections.getLast().size() == LONGEST) {
            sections.add(new ArrayList<>());
        }
        sections.getLast().add(launch);
        parameters += launch.parameters().length;
    }

    /** The place of a number among the scalars. */
    int scalar(double value) {
        scalars[scalarsEnd] = (float) value;
        return scalarsEnd++;
    }

    /** The place of integers in the state; the same array is there once. */
    int integers(int[] values) {
        Integer place = placed.get(values);
        if (place == null) {
            place = stateEnd;
            System.arraycopy(values, 0, state, stateEnd, values.length);
            stateEnd += values.length;
            placed.put(values, place);
        }
        return place;
    }

    /** Runs everything that was added. */
    void run() {
        if (sections.isEmpty()) {
            return;
        }
        int[] layout = layout();
        if (!Arrays.equals(layout, layoutOnDevice)) {
            device.write(device.arrays().layout(), 0, layout, layout.length);
            layoutOnDevice = layout;
        }
        if (scalarsEnd > Stored.CONSTANTS) {
            int count = scalarsEnd - Stored.CONSTANTS;
            float[] values = Arrays.copyOfRange(scalars, Stored.CONSTANTS, scalarsEnd);
            device.write(device.arrays().scalars(), Stored.CONSTANTS, values, count);
        }
        // Last, for it says that the first section comes next.
        device.write(device.arrays().state(), 0, state, stateEnd);
        device.run(sections);
        clear();
    }

    private void clear() {
        sections.clear();
        placed.clear();
        parameters = 0;
        stateEnd = DeviceArrays.STATE_DATA;
        scalarsEnd = Stored.CONSTANTS;
    }

    private int[] layout() {
        int[] layout = new int[sections.size() + parameters];
        int at = sections.size();
        for (int i = 0; i < sections.size(); i++) {
            layout[i] = at;
            for (Launch launch : sections.get(i)) {
                System.arraycopy(launch.parameters(), 0, layout, at, launch.parameters().length);
                at += launch.parameters().length;
            }
        }
        return layout;
    }
}
