package io.github.rankine.engine.nn;

import io.github.rankine.engine.kernels.AttentionShape;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.PlanningKernels;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;

/** Keys and values of one sequence's tokens so far, so that generation computes each token once. */
public final class KeyValueCache implements AutoCloseable {
    private final Arena arena = Arena.ofShared();
    private final Kernels kernels;
    private final AttentionShape shape;
    private final Tensor[] keys;
    private final Tensor[] values;
    private int length;

    private KeyValueCache(Kernels kernels, int layers, AttentionShape shape) {
        this.kernels = kernels;
        this.shape = shape;
        keys = new Tensor[layers];
        values = new Tensor[layers];
    }

    /**
     * An empty cache.
     *
     * @param layers   number of blocks
     * @param capacity tokens it can hold
     * @param shape    of every block's keys and values
     */
    static KeyValueCache allocate(Kernels kernels, int layers, int capacity, AttentionShape shape) {
        KeyValueCache cache = new KeyValueCache(kernels, layers, shape);
        for (int layer = 0; layer < layers; layer++) {
            cache.keys[layer] = kernels.allocateCache(cache.arena, capacity, shape);
            cache.values[layer] = kernels.allocateCache(cache.arena, capacity, shape);
        }
        return cache;
    }

    /** A cache without memory, for planning. */
    static KeyValueCache planned(int layers, int capacity, AttentionShape shape) {
        KeyValueCache cache = new KeyValueCache(PlanningKernels.create(), layers, shape);
        Tensor planned = Tensor.shapeOnly(capacity, shape.kvHeads() * (long) shape.headDim());
        Arrays.fill(cache.keys, planned);
        Arrays.fill(cache.values, planned);
        return cache;
    }

    /** Stores a prefix's rows: of each layer the keys, then the values. */
    void storePrefix(Tensor prefix) {
        long width = prefix.cols() / (2 * keys.length);
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
        kernels.store(newKeys, newValues, keys[layer], values[layer], length, shape);
    }

    /** A layer's keys, in the order of the kernels that the cache was made with. */
    Tensor keys(int layer) {
        return keys[layer];
    }

    Tensor values(int layer) {
        return values[layer];
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
