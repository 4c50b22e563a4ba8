package io.github.rankine.engine.kernels;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What a generated token takes leaves no vectors on the heap. Of these methods some are as long as they are so that C2 compiles each by itself:
 * where it takes them into a caller, it comes to its limits, and what is passed from method to method becomes objects.
 */
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class DecodeAllocationTest {
    /** For the records of a call and its tasks. */
    private static final long CALL = 6000;

    private final Arena arena = Arena.ofShared();
    private final Kernels kernels = new VectorKernels(1);
    private final Random random = new Random(1);

    @AfterEach
    void close() {
        kernels.close();
        arena.close();
    }

    /** At an address that is no multiple of a vector's bytes, so that rows have ends of their own. */
    private DenseWeight weight(DType type, long rows, long cols) {
        DenseWeight weight = new DenseWeight(
                type,
                rows,
                cols,
                arena.allocate(rows * cols * type.bytes() + 8, 64).asSlice(8));
        for (long i = 0; i < weight.size(); i++) {
            type.write(weight.data(), i, (float) random.nextGaussian());
        }
        return weight;
    }

    private Tensor tensor(long rows, long cols) {
        return weight(DType.F32, rows, cols).asTensor();
    }

    @Test
    void attentionToManyKeys() {
        AttentionShape shape = new AttentionShape(9, 3, 64, 0.125f, 0);
        int keys = 1000;
        Tensor q = tensor(1, 9 * 64), k = tensor(keys, 3 * 64), v = tensor(keys, 3 * 64);
        Tensor out = tensor(1, 9 * 64), logSumExp = tensor(1, 9);
        AttentionSpans spans = new AttentionSpans(new int[] {0}, new int[] {1}, new int[] {0}, new int[] {keys});
        Allocation.fallsBelow(CALL, () -> kernels.attention(q, k, v, spans, shape, out, logSumExp));
    }

    @Test
    void productsOfARow() {
        for (DType type : new DType[] {DType.BF16, DType.F32}) {
            Tensor x = tensor(1, 1536), y = tensor(1, 576);
            DenseWeight weight = weight(type, 576, 1536);
            Allocation.fallsBelow(CALL, () -> kernels.matmulNT(x, weight, y, 1, false));
        }
    }
}
