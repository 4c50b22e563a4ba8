package io.github.rankine.tornado;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.MemoryNeeds;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.QuantizedWeight;
import io.github.rankine.engine.tensor.Weight;
import java.util.Locale;

/**
 * Sizes of a device's two large arrays, in elements of four bytes.
 *
 * @param floats for tensors, float32 weights and scales
 * @param words  for other weights
 */
record DeviceRoom(long floats, long words) {
    /** Beside what is planned: rotary tables, operands that come and go, a prompt that is a little longer than the last. */
    private static final long SPARE = 8 << 20;

    private static final long LEAST = 1 << 16;

    /** Where nothing was planned, halves. */
    static DeviceRoom unplanned(DeviceSource source) {
        long half = source.unplanned() / 8;
        return new DeviceRoom(half, half);
    }

    /** What is needed and no more. */
    static DeviceRoom of(MemoryNeeds needs) {
        long floats = needs.tensorBytes() / 4;
        long words = 0;
        for (Weight weight : needs.weights()) {
            switch (weight) {
                case DenseWeight dense when dense.type() == DType.BF16 -> words += Math.ceilDiv(dense.bytes(), 4L);
                case DenseWeight dense -> floats += dense.size();
                case QuantizedWeight quantized -> {
                    words += Math.ceilDiv(quantized.type().bytes(quantized.size()), 4L);
                    floats += QuantizedWeight.blocks(quantized.size(), quantized.blockSize());
                }
            }
        }
        return new DeviceRoom(floats, words);
    }

    /** With room to spare. */
    DeviceRoom spacious() {
        return new DeviceRoom(floats + floats / 16 + SPARE, words + words / 16 + LEAST);
    }

    DeviceRoom plus(DeviceRoom other) {
        return new DeviceRoom(floats + other.floats, words + other.words);
    }

    DeviceRoom minus(DeviceRoom other) {
        return new DeviceRoom(floats - other.floats, words - other.words);
    }

    long bytes() {
        return 4 * (floats + words);
    }

    boolean covers(DeviceRoom other) {
        return floats >= other.floats && words >= other.words;
    }

    /** @throws RankineException when the source has less */
    Device open(DeviceSource source) {
        requireIn(source);
        return source.open((int) floats, (int) words);
    }

    void requireIn(DeviceSource source) {
        if (bytes() > source.memory()) {
            throw new RankineException("the run needs " + mebibytes(bytes()) + " of the device's memory ("
                    + mebibytes(4 * floats) + " for tensors, " + mebibytes(4 * words) + " for packed weights), "
                    + source.allowance() + " " + mebibytes(source.memory())
                    + ": take fewer or shorter sequences at a time, recompute blocks, quantise the weights, or use"
                    + " --kernels vector");
        }
        if (Math.max(floats, words) > Integer.MAX_VALUE - 64) {
            throw new RankineException("the run needs " + mebibytes(4 * Math.max(floats, words))
                    + " in one array of the device, and 8192 MiB is the most: "
                    + (floats > words ? "take fewer or shorter sequences at a time" : "quantise the weights")
                    + ", or use --kernels vector");
        }
    }

    private static String mebibytes(long bytes) {
        return String.format(Locale.ROOT, "%d MiB", bytes >> 20);
    }
}
