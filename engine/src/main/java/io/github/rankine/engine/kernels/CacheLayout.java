package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.NR;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;

/**
 * How cached keys and values lie: in blocks of KEYS tokens, a block's heads one after another, {@code [blocks, kvHeads, headSize]}. A head's
 * keys in a block are panels {@code [headDim, NR]} of NR keys each, and its values are panels {@code [KEYS, NR]} of NR features each. So one
 * query's scores, and its output, are tiles with such a panel as their right operand, and read it as it lies in memory.
 */
record CacheLayout(AttentionShape shape) {
    /** Tokens of a block: whole panels, and enough that what was found in them is soon put together. */
    static final int KEYS = Math.max(64, NR);

    /** Elements from a head of a block to the next one. */
    private int headSize() {
        return KEYS * MicroKernel.paddedCols(shape.headDim());
    }

    /** Bytes that one head takes in a block. */
    long headBytes() {
        return 4L * headSize();
    }

    /** Room for {@code tokens} tokens' keys, or values. */
    Tensor allocate(Arena arena, int tokens) {
        long rows = (long) Math.ceilDiv(tokens, KEYS) * KEYS;
        long cols = (long) shape.kvHeads() * MicroKernel.paddedCols(shape.headDim());
        return Tensor.allocate(arena, rows, cols);
    }

    /** Whether {@code cache} is what {@link #allocate} makes for at least {@code tokens}. */
    boolean holds(Tensor cache, long tokens) {
        return cache.isContiguous()
                && cache.cols() == (long) shape.kvHeads() * MicroKernel.paddedCols(shape.headDim())
                && cache.rows() % KEYS == 0
                && tokens <= cache.rows();
    }

    /** Byte offset of a head's keys, or values, in a block. */
    long headAt(long block, int head) {
        return (block * shape.kvHeads() + head) * headBytes();
    }

    /** Bytes from one panel of keys to the next one. */
    long keyPanelBytes() {
        return 4L * shape.headDim() * NR;
    }

    /** Bytes from one panel of features to the next one. */
    static long valuePanelBytes() {
        return 4L * KEYS * NR;
    }

    private long keyAt(long token, int head, int feature) {
        int inBlock = (int) (token % KEYS);
        return headAt(token / KEYS, head) + inBlock / NR * keyPanelBytes() + 4L * ((long) feature * NR + inBlock % NR);
    }

    private long valueAt(long token, int head, int feature) {
        int inBlock = (int) (token % KEYS);
        return headAt(token / KEYS, head)
                + feature / NR * valuePanelBytes()
                + 4L * ((long) inBlock * NR + feature % NR);
    }

    /**
     * Stores rows {@code [first, end)} of {@code k [n, kvHeads · headDim]} as the keys of the tokens from {@code position} on. All of them
     * belong to one panel.
     */
    void storeKeys(Tensor k, int first, int end, Tensor cache, long position) {
        for (int head = 0; head < shape.kvHeads(); head++) {
            long to = keyAt(position, head, 0);
            for (int d = 0; d < shape.headDim(); d++) {
                long from = k.offset(first, (long) head * shape.headDim() + d);
                for (int i = 0; i < end - first; i++) {
                    float key = Elements.get(k.segment(), from + 4 * i * k.stride());
                    Elements.set(cache.segment(), to + 4L * i, key);
                }
                to += 4L * NR;
            }
        }
    }

    /** The same for values, with the tokens anywhere. */
    void storeValues(Tensor v, int first, int end, Tensor cache, long position) {
        for (int i = first; i < end; i++) {
            for (int head = 0; head < shape.kvHeads(); head++) {
                long from = v.offset(i, (long) head * shape.headDim());
                int d = 0;
                for (; d <= shape.headDim() - LANES; d += LANES) {
                    long to = valueAt(position + i - first, head, d);
                    Elements.store(Elements.load(v.segment(), from + 4L * d), cache.segment(), to);
                }
                for (; d < shape.headDim(); d++) {
                    long to = valueAt(position + i - first, head, d);
                    Elements.set(cache.segment(), to, Elements.get(v.segment(), from + 4L * d));
                }
            }
        }
    }

    /** The cached keys as rows. */
    HeadRows keys(Tensor cache) {
        return (first, count, head, out, at, stride) -> {
            for (int i = 0; i < count; i++) {
                long from = keyAt(first + i, head, 0);
                for (int d = 0; d < shape.headDim(); d++) {
                    out[at + i * stride + d] = Elements.get(cache.segment(), from + 4L * d * NR);
                }
            }
        };
    }

    /** The cached values as rows. */
    HeadRows values(Tensor cache) {
        return (first, count, head, out, at, stride) -> {
            for (int i = 0; i < count; i++) {
                for (int d = 0; d < shape.headDim(); d += NR) {
                    long from = valueAt(first + i, head, d) / Float.BYTES;
                    int features = Math.min(NR, shape.headDim() - d);
                    Unpack.row(DType.F32, cache.segment(), from, out, at + i * stride + d, features);
                }
            }
        };
    }
}
