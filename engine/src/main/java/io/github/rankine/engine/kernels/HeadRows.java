package io.github.rankine.engine.kernels;

import io.github.rankine.engine.tensor.Tensor;

/** Keys, or values, head by head, wherever they lie. */
@FunctionalInterface
interface HeadRows {
    /** Copies {@code count} tokens' features of a head from token {@code first} on, to rows {@code stride} apart. */
    void read(long first, int count, int head, float[] out, int at, int stride);

    /** The rows of {@code x [tokens, heads · headDim]}. */
    static HeadRows of(Tensor x, int headDim) {
        return (first, count, head, out, at, stride) -> {
            for (int i = 0; i < count; i++) {
                KeyLayout.read(x, first + i, (long) head * headDim, headDim, out, at + i * stride);
            }
        };
    }
}
