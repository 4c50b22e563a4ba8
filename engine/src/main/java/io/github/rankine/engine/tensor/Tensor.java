package io.github.rankine.engine.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A float32 matrix in native memory: {@code rows × cols}, each row contiguous, rows {@code stride} elements apart.
 *
 * <p>Everything that is computed is a tensor; a vector is one row. A tensor owns nothing: its memory lives as long as
 * the arena behind its segment. A tensor without memory ({@link #shapeOnly}) stands for one when a run is planned.
 *
 * @param segment memory of the first element up to the last one, native byte order
 * @param rows    number of rows
 * @param cols    elements in a row
 * @param stride  elements from one row's start to the next one's, at least {@code cols}
 */
public record Tensor(MemorySegment segment, long rows, long cols, long stride) {
    /** Alignment of fresh tensors: a cache line, which is also the widest vector. */
    public static final long ALIGNMENT = 64;

    public Tensor {
        if (rows < 0 || cols < 0 || stride < cols) {
            throw new IllegalArgumentException("bad tensor shape " + rows + " x " + cols + ", stride " + stride);
        }
    }

    /** A zeroed tensor in {@code arena}. */
    public static Tensor allocate(Arena arena, long rows, long cols) {
        return of(
                arena.allocate(Math.max(4, Math.multiplyExact(4L, Math.multiplyExact(rows, cols))), ALIGNMENT),
                rows,
                cols);
    }

    /** A contiguous view of {@code segment}. */
    public static Tensor of(MemorySegment segment, long rows, long cols) {
        return new Tensor(segment, rows, cols, cols);
    }

    /** A copy of {@code values} as {@code rows × cols}. */
    public static Tensor copyOf(Arena arena, long rows, long cols, float... values) {
        if (values.length != rows * cols) {
            throw new IllegalArgumentException(values.length + " values for " + rows + " x " + cols);
        }
        Tensor tensor = allocate(arena, rows, cols);
        MemorySegment.copy(values, 0, tensor.segment, ValueLayout.JAVA_FLOAT, 0, values.length);
        return tensor;
    }

    /** A tensor that has a shape and no memory, for planning. */
    public static Tensor shapeOnly(long rows, long cols) {
        return of(MemorySegment.NULL, rows, cols);
    }

    public long size() {
        return rows * cols;
    }

    /** Bytes of the elements themselves. */
    public long bytes() {
        return 4 * size();
    }

    public boolean isContiguous() {
        return stride == cols || rows <= 1;
    }

    public boolean hasMemory() {
        return !segment.equals(MemorySegment.NULL);
    }

    /** Byte offset of an element in {@link #segment}. */
    public long offset(long row, long col) {
        return 4 * (row * stride + col);
    }

    public float get(long row, long col) {
        return segment.get(ValueLayout.JAVA_FLOAT_UNALIGNED, offset(row, col));
    }

    public void set(long row, long col, float value) {
        segment.set(ValueLayout.JAVA_FLOAT_UNALIGNED, offset(row, col), value);
    }

    /** A view of {@code count} rows from {@code first}. */
    public Tensor rows(long first, long count) {
        checkRange(first, count, rows);
        return new Tensor(
                hasMemory() ? segment.asSlice(offset(first, 0), span(count, cols)) : segment, count, cols, stride);
    }

    /** A view of {@code count} columns from {@code first}, keeping the stride. */
    public Tensor cols(long first, long count) {
        checkRange(first, count, cols);
        return new Tensor(hasMemory() ? segment.asSlice(4 * first, span(rows, count)) : segment, rows, count, stride);
    }

    private long span(long rowCount, long colCount) {
        return rowCount == 0 || colCount == 0 ? 0 : 4 * ((rowCount - 1) * stride + colCount);
    }

    private static void checkRange(long first, long count, long limit) {
        if (first < 0 || count < 0 || first + count > limit) {
            throw new IndexOutOfBoundsException(first + " + " + count + " of " + limit);
        }
    }

    /** Copies the elements of a tensor of the same shape into this one; without memory there are none to copy. */
    public void copyFrom(Tensor other) {
        if (other.rows != rows || other.cols != cols) {
            throw new IllegalArgumentException(other.rows + " x " + other.cols + " copied into " + rows + " x " + cols);
        }
        if (!hasMemory() || !other.hasMemory()) {
            return;
        }
        if (isContiguous() && other.isContiguous()) {
            MemorySegment.copy(other.segment, 0, segment, 0, bytes());
            return;
        }
        for (long row = 0; row < rows; row++) {
            MemorySegment.copy(other.segment, other.offset(row, 0), segment, offset(row, 0), 4 * cols);
        }
    }

    /** Sets all elements to zero. */
    public void clear() {
        if (!hasMemory()) {
            return;
        }
        if (isContiguous()) {
            segment.asSlice(0, bytes()).fill((byte) 0);
            return;
        }
        for (long row = 0; row < rows; row++) {
            segment.asSlice(offset(row, 0), 4 * cols).fill((byte) 0);
        }
    }

    /** The elements in row-major order on the heap; for small tensors and tests. */
    public float[] toArray() {
        float[] values = new float[Math.toIntExact(size())];
        for (long row = 0; row < rows; row++) {
            MemorySegment.copy(
                    segment,
                    ValueLayout.JAVA_FLOAT_UNALIGNED,
                    offset(row, 0),
                    values,
                    Math.toIntExact(row * cols),
                    (int) cols);
        }
        return values;
    }

    /** This tensor as the weight of a product. It must be contiguous. */
    public DenseWeight asWeight() {
        if (!isContiguous()) {
            throw new IllegalStateException("a strided tensor cannot be a weight");
        }
        return new DenseWeight(DType.F32, rows, cols, segment);
    }
}
