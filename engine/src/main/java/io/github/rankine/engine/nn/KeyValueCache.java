package io.github.rankine.engine.nn;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.PlanningKernels;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;

/** Keys and values of one sequence's tokens so far, so that generation computes each token once. */
public final class KeyValueCache implements AutoCloseable {
    private final Arena arena = Arena.ofShared();
    private final Kernels kernels;
    private final Tensor[] keys;
    private final Tensor[] values;
    private int length;

    private KeyValueCache(Kernels kernels, int layers) {
        this.kernels = kernels;
        keys = new Tensor[layers];
        values = new Tensor[layers];
    }

    /**
     * An empty cache.
     *
     * @param layers   number of blocks
     * @param capacity tokens it can hold
     * @param width    kvHeads · headDim
     */
    static KeyValueCache allocate(Kernels kernels, int layers, int capacity, int width) {
        KeyValueCache cache = new KeyValueCache(kernels, layers);
        for (int layer = 0; layer < layers; layer++) {
            cache.keys[layer] = cache.allocate(capacity, width);
            cache.values[layer] = cache.allocate(capacity, width);
        }
        return cache;
    }

    private Tensor allocate(int capacity, int width) {
        return Tensor.of(kernels.allocate(arena, 4L * capacity * width), capacity, width);
    }

    /** A cache without memory, for planning. */
    static KeyValueCache planned(int layers, int capacity, int width) {
        KeyValueCache cache = new KeyValueCache(PlanningKernels.create(), layers);
        Arrays.fill(cache.keys, Tensor.shapeOnly(capacity, width));
        Arrays.fill(cache.values, Tensor.shapeOnly(capacity, width));
        return cache;
    }

    /** Stores a prefix's rows: of each layer the keys, then the values. */
    void storePrefix(Tensor prefix) {
        long width = keys[0].cols();
        for (int layer = 0; layer < keys.length; layer++) {
            store(layer, prefix.cols(2 * layer * width, width), prefix.cols((2 * layer + 1) * width, width));
        }
        advance((int) prefix.rows());
    }

    /** Tokens that every layer has stored, virtual ones among them. */
    public int length() {
        return length;
    }

    /** Stores a layer's keys and values of the tokens after {@link #length}. */
    void store(int layer, Tensor newKeys, Tensor newValues) {
        kernels.copy(newKeys, keys[layer].rows(length, newKeys.rows()));
        kernels.copy(newValues, values[layer].rows(length, newValues.rows()));
    }

    /** A layer's first {@code count} keys. */
    Tensor keys(int layer, int count) {
        return keys[layer].rows(0, count);
    }

    Tensor values(int layer, int count) {
        return values[layer].rows(0, count);
    }

    /** Moves on after all layers have stored {@code count} tokens. */
    void advance(int count) {
        length += count;
    }

    @Override
    public void close() {
        arena.close();
    }
}
