package io.github.rankine.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.BlockScales;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.tensor.QuantizedWeight;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

/**
 * One call of an operation under test. Operands lie between canaries, and so do the rows of strided ones; canaries are NaN, so
 * that reading one spoils the result and writing one is seen. What an operation overwrites holds the same NaN before.
 */
final class Trial {
    /** How operands lie in memory. */
    enum Layout {
        /** On cache lines, without gaps. */
        ALIGNED(0, 0, 0, false),
        /** Tensors with gaps between rows; weights at an odd byte, as in a file whose header has an odd length. */
        STRIDED(0, 5, 1, false),
        /** Tensors one element, and weights two bytes, off any alignment; tensors live with the kernels. */
        UNALIGNED(4, 0, 2, true);

        private final int tensorShift;
        private final int gap;
        private final int weightShift;
        private final boolean resident;

        Layout(int tensorShift, int gap, int weightShift, boolean resident) {
            this.tensorShift = tensorShift;
            this.gap = gap;
            this.weightShift = weightShift;
            this.resident = resident;
        }
    }

    /** What an operation gave: the elements of its outputs, and numbers returned. */
    record Results(List<float[]> outputs, List<Double> numbers) {
        void assertSameBits(Results others) {
            for (int i = 0; i < outputs.size(); i++) {
                assertThat(Arrays.mismatch(outputs.get(i), others.outputs.get(i)))
                        .as("first element of output %d that depends on the number of threads", i)
                        .isEqualTo(-1);
            }
            assertThat(numbers).as("numbers with another number of threads").isEqualTo(others.numbers);
        }
    }

    /** Errors that are allowed, relative to the magnitude of the output. */
    static final double TOLERANCE = 1e-5;

    /** Repeated, a NaN of every type. */
    private static final byte CANARY = (byte) 0xFF;

    private static final int GUARD = 256;

    private final Kernels kernels;
    private final SegmentAllocator memory;
    private final Arena arena;
    private final Layout layout;
    private final List<Guarded> inputs = new ArrayList<>();
    private final List<Output> outputs = new ArrayList<>();
    private final Set<Tensor> compared = new HashSet<>();
    private final List<Double> numbers = new ArrayList<>();

    /**
     * @param memory to take operands from
     * @param arena  closed after the trial
     */
    Trial(Kernels kernels, SegmentAllocator memory, Arena arena, Layout layout) {
        this.kernels = kernels;
        this.memory = memory;
        this.arena = arena;
        this.layout = layout;
    }

    /** An operand, the memory with canaries that it lies in, and a copy of that memory before the call. */
    private record Guarded(MemorySegment memory, long start, byte[] before) {
        void assertUnchanged(String what) {
            assertThat(memory.mismatch(MemorySegment.ofArray(before))).as(what).isEqualTo(-1);
        }
    }

    private record Output(Guarded guarded, Tensor tensor) {
        /** All bytes but the tensor's elements are as before. */
        void assertNothingElseChanged() {
            MemorySegment allowed = MemorySegment.ofArray(guarded.before.clone());
            for (long row = 0; row < tensor.rows(); row++) {
                long at = tensor.offset(row, 0);
                MemorySegment.copy(tensor.segment(), at, allowed, guarded.start + at, 4 * tensor.cols());
            }
            assertThat(guarded.memory.mismatch(allowed))
                    .as("first byte changed outside an output, whose element 0 is byte %d", guarded.start)
                    .isEqualTo(-1);
        }
    }

    Kernels kernels() {
        return kernels;
    }

    /** A tensor that the operation must leave as it is. */
    Tensor input(double[] values, int rows, int cols) {
        MemorySegment guarded = canaries(span(rows, cols) + layout.tensorShift);
        Tensor tensor = tensor(guarded, values, rows, cols);
        inputs.add(guard(guarded, layout.tensorShift));
        return tensor;
    }

    /** A tensor that the operation changes. {@code initial} is null when what it holds must not matter. */
    Tensor output(double[] initial, int rows, int cols) {
        MemorySegment guarded = canaries(span(rows, cols) + layout.tensorShift);
        Tensor tensor = tensor(guarded, initial, rows, cols);
        outputs.add(new Output(guard(guarded, layout.tensorShift), tensor));
        return tensor;
    }

    private Tensor tensor(MemorySegment guarded, double[] values, int rows, int cols) {
        MemorySegment operand = guarded.asSlice(GUARD + layout.tensorShift, span(rows, cols));
        Tensor tensor = new Tensor(operand, rows, cols, cols + layout.gap);
        if (values != null) {
            assertThat(values).hasSize(rows * cols);
            for (int row = 0, i = 0; row < rows; row++) {
                for (int col = 0; col < cols; col++, i++) {
                    tensor.set(row, col, (float) values[i]);
                }
            }
        }
        if (layout.resident) {
            kernels.adopt(guarded, arena);
        }
        return tensor;
    }

    /** Has the host see what kernels did to memory that lives with them, canaries and all. */
    private void fetch(Guarded operand) {
        if (layout.resident) {
            kernels.fetch(Tensor.of(operand.memory, 1, operand.memory.byteSize() / 4));
        }
    }

    private long span(int rows, int cols) {
        return 4L * ((rows - 1) * (cols + layout.gap) + cols);
    }

    /** A weight, which no operation changes. */
    Weight weight(DType type, double[] values, int rows, int cols) {
        assertThat(values).hasSize(rows * cols);
        long bytes = (long) values.length * type.bytes();
        MemorySegment guarded = canaries(bytes + layout.weightShift);
        MemorySegment operand = guarded.asSlice(GUARD + layout.weightShift, bytes);
        for (int i = 0; i < values.length; i++) {
            type.write(operand, i, (float) values[i]);
        }
        inputs.add(guard(guarded, layout.weightShift));
        return new DenseWeight(type, rows, cols, operand);
    }

    /** A quantised weight of random codes, its scales quantised themselves or not; the same for the same arguments. */
    QuantizedWeight quantized(QuantizedType type, int rows, int cols, boolean nested) {
        Random random = new Random(31L * rows + cols);
        int size = rows * cols;
        int blocks = Math.ceilDiv(size, type.blockSize());
        MemorySegment codes = randomBytes(random, type.bytes(size));
        float[] map = new float[256];
        for (int i = 0; i < map.length; i++) {
            map[i] = (i - 128) / 128f;
        }
        BlockScales scales = nested
                ? new BlockScales.Nested(
                        randomBytes(random, blocks), map, factors(random, Math.ceilDiv(blocks, 4)), 4, 0.5f, blocks)
                : factors(random, blocks);
        return new QuantizedWeight(type, rows, cols, codes, scales, type.blockSize());
    }

    private MemorySegment randomBytes(Random random, long count) {
        MemorySegment guarded = canaries(count + layout.weightShift);
        byte[] bytes = new byte[(int) count];
        random.nextBytes(bytes);
        MemorySegment operand = guarded.asSlice(GUARD + layout.weightShift, count);
        operand.copyFrom(MemorySegment.ofArray(bytes));
        inputs.add(guard(guarded, layout.weightShift));
        return operand;
    }

    private BlockScales.Plain factors(Random random, int count) {
        MemorySegment guarded = canaries(4L * count + layout.weightShift);
        MemorySegment operand = guarded.asSlice(GUARD + layout.weightShift, 4L * count);
        for (int i = 0; i < count; i++) {
            operand.set(BlockScales.FLOAT, 4L * i, random.nextFloat() / 32);
        }
        inputs.add(guard(guarded, layout.weightShift));
        return new BlockScales.Plain(operand, count);
    }

    /** Canaries instead of {@code bytes} bytes, and more on both sides. */
    private MemorySegment canaries(long bytes) {
        return memory.allocate(GUARD + bytes + GUARD, Tensor.ALIGNMENT).fill(CANARY);
    }

    private static Guarded guard(MemorySegment guarded, int shift) {
        return new Guarded(guarded, GUARD + shift, guarded.toArray(ValueLayout.JAVA_BYTE));
    }

    /** Each element within {@link #TOLERANCE} of the largest expected one, or of {@code floor} if that is larger. */
    void expect(Tensor output, double[] expected, double floor) {
        double magnitude = Math.max(floor, Samples.largest(expected));
        expectWithin(output, expected, magnitude, 0);
    }

    /** Each element within {@link #TOLERANCE} of itself, or of {@code floor} if that is larger. */
    void expectEach(Tensor output, double[] expected, double floor) {
        expectWithin(output, expected, floor, 1);
    }

    /** Each element the float nearest to the one expected. */
    void expectExactly(Tensor output, double[] expected) {
        expectWithin(output, Samples.rounded(DType.F32, expected), 0, 0);
    }

    private void expectWithin(Tensor output, double[] expected, double magnitude, double ownShare) {
        compared.add(output);
        kernels.fetch(output);
        assertThat(expected).hasSize((int) output.size());
        for (int i = 0; i < expected.length; i++) {
            long row = i / output.cols();
            long col = i % output.cols();
            double actual = output.get(row, col);
            double tolerance = TOLERANCE * Math.max(magnitude, ownShare * Math.abs(expected[i]));
            if (actual != expected[i] && !(Math.abs(actual - expected[i]) <= tolerance)) {
                assertThat(actual)
                        .as("output %d, row %d, column %d", index(output), row, col)
                        .isCloseTo(expected[i], within(tolerance));
            }
        }
    }

    private long index(Tensor output) {
        return outputs.stream().takeWhile(o -> !o.tensor.equals(output)).count();
    }

    /** As {@link #expect} of a result that is no tensor. */
    void expectNumber(double actual, double expected, double relativeTolerance) {
        numbers.add(actual);
        assertThat(actual).isCloseTo(expected, within(relativeTolerance * Math.abs(expected)));
    }

    /** Looks after everything that no expectation names, and gives all results. */
    Results finish() {
        inputs.forEach(this::fetch);
        outputs.forEach(output -> fetch(output.guarded));
        for (int i = 0; i < inputs.size(); i++) {
            inputs.get(i).assertUnchanged("first byte changed of input " + i);
        }
        outputs.forEach(Output::assertNothingElseChanged);
        assertThat(outputs).as("an output of which nothing is expected").allMatch(o -> compared.contains(o.tensor));
        return new Results(outputs.stream().map(o -> o.tensor.toArray()).toList(), numbers);
    }
}
