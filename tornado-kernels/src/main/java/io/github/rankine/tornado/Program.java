package io.github.rankine.tornado;

import io.github.rankine.engine.RankineException;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/** Kernels that were asked for and have not run yet, in sections, and the numbers that they read. */
final class Program {
    /** A section's longest list of kernels: TornadoVM's buffer for a graph is finite. */
    static final int LONGEST = 256;

    /** A section's longest list of one kernel alone, so that an optimiser's hundreds are a few graphs that serve any number. */
    private static final int REPEATED = 8;

    /** Numbers that any single kernel needs at most. */
    private static final int ROOM = 256;

    private final Device device;
    private final List<List<Launch>> sections = new ArrayList<>();
    private final int[] state = new int[DeviceArrays.STATE];
    private final float[] scalars = new float[DeviceArrays.SCALARS];
    private final Map<int[], Integer> integersAt = new IdentityHashMap<>();
    private final Map<List<Float>, Integer> scalarsAt = new HashMap<>();
    private final List<Runnable> afterwards = new ArrayList<>();
    /** Where the layouts are that the device has, each by its numbers. */
    private final Map<IntBuffer, Integer> layoutsAt = new HashMap<>();

    private int layoutsEnd;
    private boolean marked;
    private int parameters;
    private int stateEnd = DeviceArrays.STATE_DATA;
    private int scalarsEnd = Stored.CONSTANTS;
    private long tasks;

    Program(Device device) {
        this.device = device;
    }

    /** Room for one more kernel and its numbers; runs what there is if need be. */
    void reserve() {
        boolean full = stateEnd > state.length / 2
                || scalarsEnd + ROOM > scalars.length
                || sections.size() + 1 + parameters + ROOM > DeviceArrays.LAYOUT;
        if (full) {
            run();
        }
    }

    void add(Launch launch) {
        if (marked || sections.isEmpty() || isFull(sections.getLast(), launch)) {
            sections.add(new ArrayList<>());
            marked = false;
        }
        sections.getLast().add(launch);
        parameters += 1 + launch.parameters().length;
    }

    private static boolean isFull(List<Launch> section, Launch next) {
        boolean repeats = section.size() >= REPEATED
                && section.stream().allMatch(launch -> launch.name().equals(next.name()));
        return repeats || section.size() == LONGEST;
    }

    /** Whether something was added and has not run. */
    boolean isWaiting() {
        return !sections.isEmpty() || !afterwards.isEmpty();
    }

    /** What comes next is a section of its own. */
    void mark() {
        marked = true;
    }

    /** Does something when all that was added has run. */
    void afterwards(Runnable action) {
        afterwards.add(action);
    }

    /** Kernels that have run. */
    long tasks() {
        return tasks;
    }

    /** The place among the scalars of numbers that lie there one after another. */
    int scalars(double... values) {
        List<Float> key = Arrays.stream(values).mapToObj(value -> (float) value).toList();
        Integer place = scalarsAt.get(key);
        if (place == null) {
            place = scalarsEnd;
            for (float value : key) {
                scalars[scalarsEnd++] = value;
            }
            scalarsAt.put(key, place);
        }
        return place;
    }

    /** The place of integers in the state; an array that comes again is there once. */
    int integers(int[] values) {
        Integer place = integersAt.get(values);
        if (place == null || !Arrays.equals(state, place, place + values.length, values, 0, values.length)) {
            place = stateEnd;
            if (values.length > state.length - stateEnd) {
                throw new RankineException("a batch of " + values.length
                        + " tokens is too large for --kernels tornado: lower --batch-size");
            }
            System.arraycopy(values, 0, state, stateEnd, values.length);
            stateEnd += values.length;
            integersAt.put(values, place);
        }
        return place;
    }

    /** Runs everything that was added. */
    void run() {
        List<Runnable> actions = List.copyOf(afterwards);
        try {
            if (!sections.isEmpty()) {
                send();
                device.run(sections);
                sections.forEach(section -> tasks += section.size());
            }
        } finally {
            clear();
        }
        actions.forEach(Runnable::run);
    }

    private void send() {
        // The number of the section that comes next.
        state[0] = layoutOnDevice();
        if (scalarsEnd > Stored.CONSTANTS) {
            float[] values = Arrays.copyOfRange(scalars, Stored.CONSTANTS, scalarsEnd);
            device.write(device.arrays().scalars(), Stored.CONSTANTS, values, values.length);
        }
        // Last, for each transfer counts as a section.
        device.write(device.arrays().state(), 0, state, stateEnd);
    }

    private void clear() {
        sections.clear();
        integersAt.clear();
        scalarsAt.clear();
        afterwards.clear();
        marked = false;
        parameters = 0;
        stateEnd = DeviceArrays.STATE_DATA;
        scalarsEnd = Stored.CONSTANTS;
    }

    /** Where the device has the layout; it is sent unless it came before, as it does step after step. */
    private int layoutOnDevice() {
        int[] layout = layout();
        IntBuffer key = IntBuffer.wrap(layout);
        Integer known = layoutsAt.get(key);
        if (known != null) {
            return known;
        }
        if (layoutsEnd + layout.length > DeviceArrays.LAYOUT) {
            layoutsAt.clear();
            layoutsEnd = 0;
        }
        int place = layoutsEnd;
        int[] moved = layout.clone();
        for (int i = 0; i < sections.size(); i++) {
            moved[i] += place;
        }
        device.write(device.arrays().layout(), place, moved, moved.length);
        layoutsAt.put(key, place);
        layoutsEnd += layout.length;
        return place;
    }

    /** As {@link DeviceArrays} tells, as if it began the array. */
    private int[] layout() {
        int[] layout = new int[sections.size() + parameters];
        int at = sections.size();
        for (int i = 0; i < sections.size(); i++) {
            layout[i] = at;
            int section = at;
            int task = at;
            at += sections.get(i).size();
            for (Launch launch : sections.get(i)) {
                layout[task++] = at - section;
                System.arraycopy(launch.parameters(), 0, layout, at, launch.parameters().length);
                at += launch.parameters().length;
            }
        }
        return layout;
    }
}
