package io.github.rankine.tornado;

import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task5;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task6;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task7;
import uk.ac.manchester.tornado.api.types.arrays.DoubleArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** A kernel's parameters as they are put together, and the tensors that do not live on the device: these go there and back for it. */
final class Call {
    private static final int MOST = 64;

    private final String name;
    private final Program program;
    private final DeviceMemory memory;
    private final DeviceArrays arrays;
    private final int[] parameters = new int[MOST];
    private final Map<Tensor, Visit> visitors = new LinkedHashMap<>();
    private int count;

    /** A tensor of the host on the device. */
    private static final class Visit {
        private final int place;
        private boolean returns;

        Visit(int place) {
            this.place = place;
        }
    }

    Call(String name, Program program, DeviceMemory memory, DeviceArrays arrays) {
        this.name = name;
        this.program = program;
        this.memory = memory;
        this.arrays = arrays;
        program.reserve();
    }

    static void check(boolean right, String operation, Object... given) {
        if (!right) {
            throw new IllegalArgumentException(operation + ": shapes do not fit: " + Arrays.toString(given));
        }
    }

    static void checkSame(String operation, Tensor first, Tensor... others) {
        for (Tensor other : others) {
            check(is(other, first.rows(), first.cols()), operation, first, other);
        }
    }

    static boolean is(Tensor tensor, long rows, long cols) {
        return tensor.rows() == rows && tensor.cols() == cols;
    }

    static void checkIndices(int[] indices, long limit, String operation) {
        for (int index : indices) {
            if (index < 0 || index >= limit) {
                throw new IllegalArgumentException(operation + ": " + index + " is not below " + limit);
            }
        }
    }

    Call numbers(long... values) {
        for (long value : values) {
            parameters[count++] = Math.toIntExact(value);
        }
        return this;
    }

    Call flag(boolean value) {
        return numbers(value ? 1 : 0);
    }

    Call scalar(double value) {
        return numbers(program.scalars(value));
    }

    /** Numbers that lie one after another, by the place of the first. */
    Call scalars(double... values) {
        return numbers(program.scalars(values));
    }

    Call integers(int[] values) {
        return numbers(program.integers(values));
    }

    Call weight(Weight weight) {
        for (int parameter : memory.weight(weight)) {
            numbers(parameter);
        }
        return this;
    }

    /** Whether there is a weight, and the weight. */
    Call optional(Weight weight) {
        flag(weight != null);
        return weight == null ? numbers(0, 0, 0, 1) : weight(weight);
    }

    /** An operand's offset and stride. */
    Call tensor(Tensor tensor) {
        return numbers(input(tensor), tensor.stride());
    }

    /** The same of a result. */
    Call output(Tensor tensor, boolean isRead) {
        return numbers(outputPlace(tensor, isRead), tensor.stride());
    }

    /** Where an operand begins on the device. */
    int input(Tensor tensor) {
        return place(tensor, true, false);
    }

    /** @param isRead whether what it holds matters */
    int outputPlace(Tensor tensor, boolean isRead) {
        return place(tensor, isRead, true);
    }

    private int place(Tensor tensor, boolean isRead, boolean isWritten) {
        if (tensor.size() == 0) {
            return 0;
        }
        OptionalInt resident = memory.find(tensor.segment());
        if (resident.isPresent()) {
            return resident.getAsInt();
        }
        Visit visit = visitors.get(tensor);
        if (visit == null) {
            visit = new Visit(memory.take(tensor.segment().byteSize() / 4));
            visitors.put(tensor, visit);
            if (isRead) {
                memory.upload(tensor.segment(), visit.place);
            }
        }
        visit.returns |= isWritten;
        return visit.place;
    }

    /** A kernel of tensors, with a thread for each of {@code elements}. */
    void runElements(Task5<KernelContext, IntArray, IntArray, FloatArray, IntArray> kernel, long elements) {
        launch(kernel, groups(elements), arrays.floats());
    }

    /** A kernel of tensors and scalars. */
    void runElements(Task6<KernelContext, IntArray, IntArray, FloatArray, FloatArray, IntArray> kernel, long elements) {
        run(kernel, groups(elements));
    }

    /** A kernel of tensors, scalars and weights. */
    void runElements(
            Task7<KernelContext, IntArray, IntArray, FloatArray, FloatArray, IntArray, IntArray> kernel,
            long elements) {
        run(kernel, groups(elements));
    }

    private static int groups(long elements) {
        return Math.toIntExact(Math.ceilDiv(elements, (long) Reduction.GROUP));
    }

    /** The same, with so many groups of threads. */
    void run(Task6<KernelContext, IntArray, IntArray, FloatArray, FloatArray, IntArray> kernel, int groups) {
        launch(kernel, groups, arrays.scalars(), arrays.floats());
    }

    void run(Task7<KernelContext, IntArray, IntArray, FloatArray, FloatArray, IntArray, IntArray> kernel, int groups) {
        launch(kernel, groups, arrays.scalars(), arrays.floats(), arrays.words());
    }

    /** A kernel of tensors that writes among the results. */
    void runForResults(Task6<KernelContext, IntArray, IntArray, FloatArray, DoubleArray, IntArray> kernel, int groups) {
        launch(kernel, groups, arrays.floats(), arrays.results());
    }

    private void launch(Object kernel, int groups, Object... operands) {
        if (groups > 0) {
            program.add(new Launch(name, kernel, List.of(operands), Arrays.copyOf(parameters, count), groups));
        }
        visitors.forEach((tensor, visit) -> program.afterwards(() -> endOf(visit, tensor)));
        if (memory.isCrowded() || visitors.values().stream().anyMatch(visit -> visit.returns)) {
            program.run();
        }
    }

    private void endOf(Visit visit, Tensor tensor) {
        if (visit.returns) {
            memory.download(visit.place, tensor);
            // It may be a weight as well, as what is trained is.
            memory.copies().forget(tensor.segment());
        }
        memory.give(visit.place, tensor.segment().byteSize() / 4);
    }
}
