package io.github.rankine.tornado;

import io.github.rankine.engine.RankineException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import uk.ac.manchester.tornado.api.GridScheduler;
import uk.ac.manchester.tornado.api.ImmutableTaskGraph;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.WorkerGrid1D;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.exceptions.TornadoBailoutRuntimeException;
import uk.ac.manchester.tornado.api.exceptions.TornadoDeviceFP64NotSupported;
import uk.ac.manchester.tornado.api.exceptions.TornadoMemoryException;
import uk.ac.manchester.tornado.api.exceptions.TornadoOutOfMemoryException;
import uk.ac.manchester.tornado.api.exceptions.TornadoRuntimeException;
import uk.ac.manchester.tornado.api.types.arrays.DoubleArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * A device of TornadoVM. The first graph of the plan owns the arrays and moves on to the next section; each section, by the names of its
 * kernels, is a graph of its own, compiled once and replayed for every layer and size. Numbers travel in arrays of powers of two.
 *
 * <p>A graph takes its buffers from the one that ran before it, so the owner runs before each. Transfers to the device do not wait; each
 * brings its header back, which does, before the host writes that array again.
 */
final class TaskGraphDevice implements Device {
    private static final String OWNER = "owner";
    private static final int LARGEST = 1 << 20;

    private final KernelContext context = new KernelContext();
    private final GridScheduler grids = new GridScheduler();
    private final TornadoDevice device;
    private final Arena images = Arena.ofShared();
    private final DeviceArrays arrays;
    private final IntArray header = new IntArray(2);
    private final List<ImmutableTaskGraph> graphs = new ArrayList<>();
    private final Map<String, Integer> byName = new HashMap<>();
    private final Map<String, Object> travelling = new HashMap<>();
    private final Map<String, WorkerGrid1D> workers = new HashMap<>();
    private TornadoExecutionPlan plan;
    private long bytesIn;
    private long bytesOut;

    TaskGraphDevice(TornadoDevice device, int floats, int words) {
        this.device = device;
        arrays = DeviceArrays.around(
                FloatArray.fromSegmentShallow(LazyMemory.ofArray(images, 4L * floats)),
                IntArray.fromSegmentShallow(LazyMemory.ofArray(images, 4L * words)));
        TaskGraph owner = new TaskGraph(OWNER);
        owner.transferToDevice(DataTransferMode.UNDER_DEMAND, all());
        owner.task("advance", TransferKernels::advance, context, arrays.state(), arrays.layout());
        owner.task("scalars", TransferKernels::touch, context, arrays.state(), arrays.scalars());
        owner.task("floats", TransferKernels::touch, context, arrays.state(), arrays.floats());
        owner.task("words", TransferKernels::touchInts, context, arrays.state(), arrays.words());
        owner.task("results", TransferKernels::touchDoubles, context, arrays.state(), arrays.results());
        owner.persistOnDevice(all());
        for (String task : List.of("advance", "scalars", "floats", "words", "results")) {
            grid(OWNER + "." + task, 1);
        }
        graphs.add(owner.snapshot());
        plan();
    }

    private Object[] all() {
        return new Object[] {
            arrays.state(), arrays.layout(), arrays.scalars(), arrays.floats(), arrays.words(), arrays.results()
        };
    }

    /** A new plan of all graphs: plans cannot be added to. */
    private void plan() {
        plan = new TornadoExecutionPlan(graphs.toArray(ImmutableTaskGraph[]::new));
        plan.withGridScheduler(grids);
        // Asking for the device that graphs have anyway compiles them again.
        if (!device.equals(TornadoExecutionPlan.DEFAULT_DEVICE)) {
            plan.withDevice(device);
        }
    }

    private WorkerGrid1D grid(String task, int groups) {
        WorkerGrid1D grid = workers.get(task);
        if (grid == null) {
            grid = new WorkerGrid1D(groups * Reduction.GROUP);
            grid.setLocalWork(Reduction.GROUP, 1, 1);
            grids.addWorkerGrid(task, grid);
            workers.put(task, grid);
        }
        grid.setGlobalWork((long) groups * Reduction.GROUP, 1, 1);
        return grid;
    }

    /** The graph of that name, made by {@code maker} the first time. */
    private int graph(String key, Consumer<TaskGraph> maker) {
        Integer index = byName.get(key);
        if (index == null) {
            index = graphs.size();
            TaskGraph graph = new TaskGraph("g" + index);
            graph.consumeFromDevice(OWNER, all());
            maker.accept(graph);
            graphs.add(graph.snapshot());
            byName.put(key, index);
            plan();
        }
        return index;
    }

    private void execute(int index) {
        try {
            plan.withGraph(0).execute();
            plan.withGraph(index).execute();
        } catch (TornadoRuntimeException
                | TornadoBailoutRuntimeException
                | TornadoDeviceFP64NotSupported
                | TornadoMemoryException
                | TornadoOutOfMemoryException failure) {
            throw new RankineException(
                    "TornadoVM cannot run a kernel on "
                            + device.getPhysicalDevice().getDeviceName().strip() + ": "
                            + reason(failure) + "; --debug shows where, --kernels vector runs without it",
                    failure);
        }
    }

    /** What TornadoVM says, without its colours, the stack trace that it goes on with, and advice on a limit that we lift. */
    private static String reason(RuntimeException failure) {
        String said = String.valueOf(failure.getMessage())
                .replaceAll("\u001b\\[[0-9;]*m", "")
                .split("Stacktrace:|To increase the maximum device memory", 2)[0]
                .strip()
                .replaceAll("\\s+", " ");
        return failure instanceof TornadoOutOfMemoryException || failure instanceof TornadoMemoryException
                ? said + " A device may allow less in one array than it has: take fewer or shorter sequences at a time"
                : said;
    }

    private static int size(int count) {
        return Math.max(64, Integer.highestOneBit(Math.max(1, count - 1)) * 2);
    }

    @Override
    public DeviceArrays arrays() {
        return arrays;
    }

    @Override
    public void write(IntArray target, int at, int[] values, int count) {
        for (int first = 0; first < count; first += LARGEST) {
            int length = Math.min(LARGEST, count - first);
            String key = "ints " + size(length);
            IntArray staging = (IntArray) travelling.computeIfAbsent(key, k -> new IntArray(size(length)));
            MemorySegment.copy(values, first, staging.getSegment(), ValueLayout.JAVA_INT, 0, length);
            int index = graph(key + " to " + name(target), graph -> {
                graph.transferToDevice(DataTransferMode.EVERY_EXECUTION, header, staging);
                graph.task("in", TransferKernels::intsIn, context, header, staging, target);
                graph.transferToHost(DataTransferMode.EVERY_EXECUTION, header);
            });
            send(index, at + first, length, 4L * staging.getSize());
        }
    }

    @Override
    public void write(FloatArray target, int at, float[] values, int count) {
        for (int first = 0; first < count; first += LARGEST) {
            int length = Math.min(LARGEST, count - first);
            String key = "floats " + size(length);
            FloatArray staging = (FloatArray) travelling.computeIfAbsent(key, k -> new FloatArray(size(length)));
            MemorySegment.copy(values, first, staging.getSegment(), ValueLayout.JAVA_FLOAT, 0, length);
            int index = graph(key + " to " + name(target), graph -> {
                graph.transferToDevice(DataTransferMode.EVERY_EXECUTION, header, staging);
                graph.task("in", TransferKernels::floatsIn, context, header, staging, target);
                graph.transferToHost(DataTransferMode.EVERY_EXECUTION, header);
            });
            send(index, at + first, length, 4L * staging.getSize());
        }
    }

    private String name(Object array) {
        return array == arrays.state()
                ? "state"
                : array == arrays.layout()
                        ? "layout"
                        : array == arrays.scalars() ? "scalars" : array == arrays.floats() ? "floats" : "words";
    }

    private void send(int index, int at, int length, long bytes) {
        transfer(index, "in", at, length);
        bytesIn += bytes;
        // The header comes back, so that the host knows when it may write again.
        bytesOut += 4L * header.getSize();
    }

    private void transfer(int index, String task, int at, int length) {
        header.set(0, at);
        header.set(1, length);
        grid("g" + index + "." + task, Math.ceilDiv(length, Reduction.GROUP));
        execute(index);
        bytesIn += 4L * header.getSize();
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
    public float[] readFloats(int at, int count) {
        FloatArray staging =
                (FloatArray) travelling.computeIfAbsent("floats out " + size(count), k -> new FloatArray(size(count)));
        int index = graph("floats out " + size(count), graph -> {
            graph.transferToDevice(DataTransferMode.EVERY_EXECUTION, header);
            graph.task("out", TransferKernels::floatsOut, context, header, arrays.floats(), staging);
            graph.transferToHost(DataTransferMode.EVERY_EXECUTION, staging);
        });
        transfer(index, "out", at, count);
        bytesOut += 4L * staging.getSize();
        float[] values = new float[count];
        MemorySegment.copy(staging.getSegment(), ValueLayout.JAVA_FLOAT, 0, values, 0, count);
        return values;
    }

    @Override
    public double[] readResults(int count) {
        DoubleArray staging =
                (DoubleArray) travelling.computeIfAbsent("results " + size(count), k -> new DoubleArray(size(count)));
        int index = graph("results " + size(count), graph -> {
            graph.transferToDevice(DataTransferMode.EVERY_EXECUTION, header);
            graph.task("out", TransferKernels::doublesOut, context, header, arrays.results(), staging);
            graph.transferToHost(DataTransferMode.EVERY_EXECUTION, staging);
        });
        transfer(index, "out", 0, count);
        bytesOut += 8L * staging.getSize();
        double[] values = new double[count];
        MemorySegment.copy(staging.getSegment(), ValueLayout.JAVA_DOUBLE, 0, values, 0, count);
        return values;
    }

    @Override
    public void run(List<List<Launch>> sections) {
        for (List<Launch> section : sections) {
            int index = graph(Launch.signature(section), graph -> {
                for (int i = 0; i < section.size(); i++) {
                    Launch launch = section.get(i);
                    IntArray task = arrays.tasks().get(i);
                    graph.transferToDevice(DataTransferMode.FIRST_EXECUTION, task);
                    Tasks.add(
                            graph,
                            "t" + i,
                            launch.kernel(),
                            launch.arguments(context, arrays.state(), arrays.layout(), task));
                }
                graph.persistOnDevice(all());
            });
            for (int i = 0; i < section.size(); i++) {
                grid("g" + index + ".t" + i, section.get(i).groups());
            }
            execute(index);
        }
    }

    @Override
    public void close() {
        plan.freeDeviceMemory();
        images.close();
    }
}
