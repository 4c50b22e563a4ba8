package io.github.rankine.engine.tape;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.TreeMap;

/**
 * The memory of a step's activations and gradients: one block, reused by each step, handed out first fit.
 *
 * <p>A planning workspace hands out tensors without memory and only notes the highest byte. The same sequence of calls
 * gets the same addresses from a real one, so what was planned is exactly what is used.
 */
public final class Workspace implements AutoCloseable {
    private final Kernels kernels;
    /** Free ranges by start; the last one has no end. */
    private final TreeMap<Long, Long> free = new TreeMap<>();

    private Arena arena;
    private MemorySegment memory = MemorySegment.NULL;
    private long peak;

    private Workspace(Kernels kernels) {
        this.kernels = kernels;
        reset();
    }

    /** A workspace without memory, for planning. */
    public static Workspace planning() {
        return new Workspace(null);
    }

    /** An empty workspace; {@link #reserve} gives it memory of these kernels. */
    public static Workspace empty(Kernels kernels) {
        return new Workspace(kernels);
    }

    /** Has at least {@code bytes} of memory from here on. Everything that was handed out is void. */
    public void reserve(long bytes) {
        reset();
        if (bytes > memory.byteSize()) {
            close();
            arena = Arena.ofShared();
            memory = kernels.allocate(arena, bytes);
        }
    }

    /** Takes back everything that was handed out, as after an exception in the middle of a step. */
    public void reset() {
        free.clear();
        free.put(0L, Long.MAX_VALUE);
        peak = 0;
    }

    /** The highest byte in use since the last {@link #reset}. */
    public long peak() {
        return peak;
    }

    /** Bytes of memory held. */
    public long capacity() {
        return memory.byteSize();
    }

    Buffer take(long rows, long cols) {
        long bytes = roundUp(Math.multiplyExact(4L, Math.multiplyExact(rows, cols)));
        for (Map.Entry<Long, Long> range : free.entrySet()) {
            long start = range.getKey();
            long end = range.getValue();
            if (end - start >= bytes) {
                free.remove(start);
                if (start + bytes < end) {
                    free.put(start + bytes, end);
                }
                peak = Math.max(peak, start + bytes);
                return new Buffer(tensor(start, rows, cols), start);
            }
        }
        throw new IllegalStateException("no free range");
    }

    private Tensor tensor(long start, long rows, long cols) {
        if (kernels == null) {
            return Tensor.shapeOnly(rows, cols);
        }
        long bytes = 4 * rows * cols;
        if (start + bytes > memory.byteSize()) {
            throw new IllegalStateException(
                    "the workspace of " + memory.byteSize() + " bytes was planned too small: " + (start + bytes));
        }
        return Tensor.of(memory.asSlice(start, bytes), rows, cols);
    }

    /** Frees a buffer; a view is left alone. */
    void give(Buffer buffer) {
        if (buffer.isView()) {
            return;
        }
        long start = buffer.offset();
        long end = start + roundUp(buffer.tensor().bytes());
        if (start == end) {
            return;
        }
        Map.Entry<Long, Long> before = free.lowerEntry(start);
        if (before != null && before.getValue() == start) {
            start = before.getKey();
        }
        Long after = free.remove(end);
        free.put(start, after == null ? end : after);
    }

    private static long roundUp(long bytes) {
        return (bytes + Tensor.ALIGNMENT - 1) / Tensor.ALIGNMENT * Tensor.ALIGNMENT;
    }

    @Override
    public void close() {
        if (arena != null) {
            arena.close();
            arena = null;
            memory = MemorySegment.NULL;
        }
    }
}
