package io.github.rankine.tornado;

import io.github.rankine.engine.RankineException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import uk.ac.manchester.tornado.api.TornadoBackend;
import uk.ac.manchester.tornado.api.TornadoRuntime;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.runtime.TornadoRuntimeProvider;

/** TornadoVM's devices. */
final class Devices {
    private static final long UNPLANNED = 2L << 30;

    private Devices() {}

    /**
     * A device, which is looked for at once.
     *
     * @param name  {@code backend:device}, counted from 0
     * @param limit most that may be taken of its memory, in MiB; null for all
     * @throws RankineException when there is none of that name
     */
    static DeviceSource named(String name, Integer limit) {
        // Before the runtime reads them: a kernel that does not compile is an error and not a loop of Java, and the
        // memory is ours to plan.
        System.setProperty("tornado.recover.bailout", "False");
        System.setProperty("tornado.device.memory", "1024GB");
        System.setProperty("tornado.tvm.maxbytecodesize", String.valueOf(1 << 16));
        TornadoRuntime runtime = TornadoRuntimeProvider.getTornadoRuntime();
        // By their names: asked for a backend or a device that is not there, the runtime answers in several ways.
        if (!names().contains(name)) {
            throw new RankineException("--device " + name + ": no such device; there are " + names());
        }
        String[] numbers = name.split(":");
        TornadoBackend backend = runtime.getBackend(Integer.parseInt(numbers[0]));
        return new Source(name, backend.getDevice(Integer.parseInt(numbers[1])), limit);
    }

    /** A device of the runtime. */
    private record Source(String name, TornadoDevice device, Integer limit) implements DeviceSource {
        @Override
        public Device open(int floats, int words) {
            return new TaskGraphDevice(device, floats, words);
        }

        @Override
        public long memory() {
            long all = device.getMaxGlobalMemory();
            return limit == null ? all : Math.min(all, (long) limit << 20);
        }

        @Override
        public long unplanned() {
            return limit == null ? Math.min(memory(), UNPLANNED) : memory();
        }

        @Override
        public String allowance() {
            boolean limited = limit != null && (long) limit << 20 < device.getMaxGlobalMemory();
            return limited ? "--device-memory allows" : "device " + name + " has";
        }
    }

    private static List<String> names() {
        TornadoRuntime runtime = TornadoRuntimeProvider.getTornadoRuntime();
        List<String> names = new ArrayList<>();
        for (int b = 0; b < runtime.getNumBackends(); b++) {
            for (int d = 0; d < runtime.getBackend(b).getNumDevices(); d++) {
                names.add(b + ":" + d);
            }
        }
        return names;
    }

    /** A line for each device: its name for {@code --device}, its backend, what it is, how large. */
    static List<String> describe() {
        TornadoRuntime runtime = TornadoRuntimeProvider.getTornadoRuntime();
        List<String> lines = new ArrayList<>();
        for (int b = 0; b < runtime.getNumBackends(); b++) {
            TornadoBackend backend = runtime.getBackend(b);
            for (int d = 0; d < backend.getNumDevices(); d++) {
                TornadoDevice device = backend.getDevice(d);
                lines.add(String.format(
                        Locale.ROOT,
                        "%d:%d  %-8s %s, %d compute units, %.1f GiB, largest array %.1f GiB",
                        b,
                        d,
                        device.getTornadoVMBackend().name(),
                        device.getPhysicalDevice().getDeviceName().strip(),
                        device.getPhysicalDevice().getDeviceMaxComputeUnits(),
                        device.getMaxGlobalMemory() / 0x1p30,
                        device.getMaxAllocMemory() / 0x1p30));
            }
        }
        return lines;
    }
}
