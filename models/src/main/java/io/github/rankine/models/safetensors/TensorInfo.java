package io.github.rankine.models.safetensors;

import java.util.List;

/**
 * What a safetensors header says of one tensor.
 *
 * @param name  its name in the file
 * @param type  how an element is stored
 * @param shape its dimensions; none for a scalar
 * @param begin where its bytes begin, counted from the end of the header
 * @param end   where they end, exclusive
 */
public record TensorInfo(String name, StoredType type, List<Long> shape, long begin, long end) {
    public TensorInfo {
        shape = List.copyOf(shape);
    }

    /** Number of elements. */
    public long elements() {
        return elements(shape);
    }

    /** Bytes of the elements. */
    public long bytes() {
        return end - begin;
    }

    /** Number of elements of a shape. @throws ArithmeticException when a long cannot hold it */
    static long elements(List<Long> shape) {
        return shape.stream().reduce(1L, Math::multiplyExact);
    }

    /** Bytes of that many elements, rounded down to a whole byte. @throws ArithmeticException past a long's range */
    static long bytes(StoredType type, List<Long> shape) {
        return Math.multiplyExact(elements(shape), (long) type.bits()) / 8;
    }
}
