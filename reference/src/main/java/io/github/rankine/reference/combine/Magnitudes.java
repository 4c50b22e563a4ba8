package io.github.rankine.reference.combine;

import io.github.rankine.engine.tensor.Tensor;

/**
 * The largest elements of a matrix by magnitude, found by counting: the bits of a float without its sign are ordered as its magnitude is,
 * so the upper half of them is counted first, and then the lower half of those that have the threshold's upper one.
 */
final class Magnitudes {
    private static final int LOW_BITS = 15;
    private static final int LOW_MASK = (1 << LOW_BITS) - 1;
    private static final int HIGH_VALUES = 1 << (31 - LOW_BITS);

    private Magnitudes() {}

    /** Sets all but the {@code count} largest elements to zero; of equal ones the first are kept. */
    static void keepLargest(Tensor matrix, long count) {
        if (count >= matrix.size()) {
            return;
        }
        if (count == 0) {
            matrix.segment().fill((byte) 0);
            return;
        }
        long[] highCounts = new long[HIGH_VALUES];
        forEach(matrix, bits -> highCounts[bits >>> LOW_BITS]++);
        Place high = Place.of(highCounts, count);
        long[] lowCounts = new long[LOW_MASK + 1];
        forEach(matrix, bits -> lowCounts[bits & LOW_MASK] += bits >>> LOW_BITS == high.value ? 1 : 0);
        Place low = Place.of(lowCounts, high.left);
        int threshold = high.value << LOW_BITS | low.value;
        long equal = low.left;
        for (long i = 0; i < matrix.rows(); i++) {
            for (long j = 0; j < matrix.cols(); j++) {
                int bits = bits(matrix, i, j);
                if (bits < threshold || (bits == threshold && equal-- <= 0)) {
                    matrix.set(i, j, 0);
                }
            }
        }
    }

    /**
     * Where the last of the largest stands.
     *
     * @param value of the part that was counted
     * @param left  how many are wanted of those that have it
     */
    private record Place(int value, long left) {
        static Place of(long[] counts, long wanted) {
            int value = counts.length - 1;
            long left = wanted;
            while (counts[value] < left) {
                left -= counts[value--];
            }
            return new Place(value, left);
        }
    }

    private interface BitsTask {
        void run(int bits);
    }

    private static void forEach(Tensor matrix, BitsTask task) {
        for (long i = 0; i < matrix.rows(); i++) {
            for (long j = 0; j < matrix.cols(); j++) {
                task.run(bits(matrix, i, j));
            }
        }
    }

    private static int bits(Tensor matrix, long row, long col) {
        return Float.floatToRawIntBits(matrix.get(row, col)) & Integer.MAX_VALUE;
    }
}
