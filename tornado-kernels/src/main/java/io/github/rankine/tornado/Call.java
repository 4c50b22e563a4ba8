package io.github.rankine.tornado;

import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A kernel's parameters as they are put together, and the tensors of the host that go to the device and back for it. */
final class Call {
    private static final int MOST = 64;

    private final String name;
    private final Program program;
    private final DeviceMemory memory;
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

    Call(String name, Program program, DeviceMemory memory) {
        this.name = name;
        this.program = program;
        this.memory = memory;
        program.reserve(1 << 16);
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
        return numbers(program.scalar(value));
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
        if (memory.owns(tensor.segment())) {
            return memory.place(tensor.segment());
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

    /** A thread for each of {@code elements}. */
    void runElements(Object kernel, long elements, Object... arrays) {
        run(kernel, Math.toIntExact(Math.ceilDiv(elements, (long) Reduction.GROUP)), arrays);
    }

    void run(Object kernel, int groups, Object... arrays) {
        if (groups > 0) {
            program.add(new Launch(name, kernel, List.of(arrays), Arrays.copyOf(parameters, count), groups));
        }
        if (visitors.isEmpty()) {
            return;
        }
        program.run();
        visitors.forEach((tensor, visit) -> {
            if (visit.returns) {
                memory.download(visit.place, tensor);
            }
            memory.give(visit.place, tensor.segment().byteSize() / 4);
        });
    }
}
