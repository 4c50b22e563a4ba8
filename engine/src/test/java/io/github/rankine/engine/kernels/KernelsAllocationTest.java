package io.github.rankine.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.engine.quant.Quantization;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.classfile.Attributes;
import java.lang.classfile.ClassFile;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A kernel that is compiled keeps its vectors in registers. Where it comes to one of the compiler's limits they are objects, and it takes
 * several times as long.
 */
class KernelsAllocationTest {
    private static final int ROWS = 64;
    private static final int HEAD_DIM = 64;
    private static final AttentionShape SHAPE = new AttentionShape(4, 2, HEAD_DIM, 0.125f, 0);
    private static final int COLS = SHAPE.heads() * HEAD_DIM;
    private static final int KEYS = 512;
    /** Four bytes an element: vectors that are objects take six or more, and what a call has besides is much less. */
    private static final long LIMIT = 4L * ROWS * COLS;
    /** Calls in which what is called first compiled by itself is compiled again as a part of its callers. */
    private static final int CALLS = 2000;
    /** Methods of more bytes are not compiled as parts of others ({@code FreqInlineSize}). */
    private static final int LONGEST_PART = 325;

    private static final Random RANDOM = new Random(1);

    /** What one call of a kernel is. */
    private interface Call {
        void run(Kernels kernels);
    }

    private static Tensor tensor(int rows, int cols) {
        Tensor tensor = Tensor.allocate(Arena.ofAuto(), rows, cols);
        for (int i = 0; i < rows * cols; i++) {
            tensor.set(i / cols, i % cols, (float) RANDOM.nextGaussian());
        }
        return tensor;
    }

    private static Tensor tensor() {
        return tensor(ROWS, COLS);
    }

    private static Weight stored(DType type, int rows, int cols) {
        Tensor values = tensor(rows, cols);
        DenseWeight weight = new DenseWeight(
                type, rows, cols, Arena.ofAuto().allocate((long) rows * cols * type.bytes(), Tensor.ALIGNMENT));
        for (int i = 0; i < rows * cols; i++) {
            type.write(weight.data(), i, values.get(i / cols, i % cols));
        }
        return weight;
    }

    private static Weight bf16(int rows, int cols) {
        return stored(DType.BF16, rows, cols);
    }

    private static Weight quantized(QuantizedType type) {
        return Quantization.quantize("weight", tensor(COLS, COLS).asWeight(), type, Arena.ofAuto());
    }

    /** A block of rows times a weight, and times its transpose. */
    private static Call blockProducts(Weight b) {
        Tensor a = tensor();
        Tensor c = tensor();
        return kernels -> {
            kernels.matmulNT(a, b, c, 1, false);
            kernels.matmulNN(a, b, c, 1, false);
        };
    }

    private static Call rowProduct(Weight b) {
        Tensor a = tensor(1, COLS);
        Tensor c = tensor(1, COLS);
        return kernels -> kernels.matmulNT(a, b, c, 1, false);
    }

    private enum Kernel {
        MATMUL_NT(() -> {
            Tensor a = tensor();
            Tensor c = tensor();
            Tensor u = tensor(ROWS, 8);
            Weight b = bf16(COLS, COLS);
            Weight v = tensor(COLS, 8).asWeight();
            return kernels -> kernels.matmulNT(a, b, u, v, c, false);
        }),
        MATMUL_NN(() -> {
            Tensor a = tensor();
            Tensor c = tensor();
            Tensor u = tensor(ROWS, 8);
            Weight b = bf16(COLS, COLS);
            Weight v = tensor(8, COLS).asWeight();
            return kernels -> kernels.matmulNN(a, b, u, v, c, true);
        }),
        THIN_PRODUCTS(() -> {
            Tensor a = tensor();
            Tensor c = tensor(ROWS, 8);
            Tensor gradient = tensor(8, COLS);
            Weight b = tensor(8, COLS).asWeight();
            return kernels -> {
                kernels.matmulNT(a, b, c, 1, false);
                kernels.matmulTN(c, a, gradient, 1, true);
            };
        }),
        F16_PRODUCTS(() -> blockProducts(stored(DType.F16, COLS, COLS))),
        NF4_PRODUCTS(() -> blockProducts(quantized(QuantizedType.NF4))),
        INT8_PRODUCTS(() -> blockProducts(quantized(QuantizedType.INT8))),
        F32_ROW_PRODUCT(() -> rowProduct(stored(DType.F32, COLS, COLS))),
        BF16_ROW_PRODUCT(() -> rowProduct(bf16(COLS, COLS))),
        F16_ROW_PRODUCT(() -> rowProduct(stored(DType.F16, COLS, COLS))),
        NF4_ROW_PRODUCT(() -> rowProduct(quantized(QuantizedType.NF4))),
        INT8_ROW_PRODUCT(() -> rowProduct(quantized(QuantizedType.INT8))),
        POINTWISE(() -> {
            Tensor x = tensor();
            Tensor y = tensor();
            return kernels -> {
                kernels.add(x, y);
                kernels.scale(x, 0.5f, y);
                kernels.dropout(x, y, 0.1f, 1, false);
            };
        }),
        SWIGLU(() -> {
            Tensor gate = tensor();
            Tensor up = tensor();
            Tensor y = tensor();
            Tensor dGate = tensor();
            return kernels -> {
                kernels.swiglu(gate, up, y);
                kernels.swigluBackward(gate, up, y, dGate, y);
            };
        }),
        GELU(() -> {
            Tensor x = tensor();
            Tensor y = tensor();
            Tensor dx = tensor();
            return kernels -> {
                kernels.gelu(x, y, false);
                kernels.geluBackward(x, y, dx, false, false);
            };
        }),
        GELU_TANH(() -> {
            Tensor x = tensor();
            Tensor y = tensor();
            Tensor dx = tensor();
            return kernels -> {
                kernels.gelu(x, y, true);
                kernels.geluBackward(x, y, dx, true, false);
            };
        }),
        RMS_NORM(() -> {
            Tensor x = tensor();
            Tensor y = tensor();
            Tensor inverseRms = tensor(ROWS, 1);
            Tensor dx = tensor();
            Tensor dWeight = tensor(1, COLS);
            Weight weight = bf16(1, COLS);
            return kernels -> {
                kernels.rmsNorm(x, weight, 1e-5f, y, inverseRms);
                kernels.rmsNormBackward(x, weight, inverseRms, y, dx, false, dWeight);
            };
        }),
        LAYER_NORM(() -> {
            Tensor x = tensor();
            Tensor y = tensor();
            Tensor statistics = tensor(ROWS, 2);
            Tensor dx = tensor();
            Tensor dWeight = tensor(1, COLS);
            Weight weight = bf16(1, COLS);
            return kernels -> {
                kernels.layerNorm(x, weight, weight, 1e-5f, y, statistics);
                kernels.layerNormBackward(x, weight, statistics, y, dx, false, dWeight, dWeight);
            };
        }),
        ROTARY(() -> {
            Tensor x = tensor();
            Tensor table = tensor(ROWS, HEAD_DIM);
            int[] positions = IntStream.range(0, ROWS).toArray();
            return kernels -> kernels.rotary(x, positions, table, HEAD_DIM, false);
        }),
        ATTENTION(() -> {
            Tensor q = tensor();
            Tensor kv = tensor(ROWS, SHAPE.kvHeads() * HEAD_DIM);
            AttentionSpans spans = AttentionSpans.ofSequences(new int[] {0, ROWS});
            Tensor out = tensor();
            Tensor logSumExp = tensor(ROWS, SHAPE.heads());
            return kernels -> kernels.attention(q, kv, kv, spans, SHAPE, out, logSumExp);
        }),
        ATTENTION_BACKWARD(() -> {
            Tensor q = tensor();
            Tensor kv = tensor(ROWS, SHAPE.kvHeads() * HEAD_DIM);
            AttentionSpans spans = AttentionSpans.ofSequences(new int[] {0, ROWS});
            Tensor out = tensor();
            Tensor logSumExp = tensor(ROWS, SHAPE.heads());
            Tensor dq = tensor();
            Tensor dk = tensor(ROWS, SHAPE.kvHeads() * HEAD_DIM);
            Tensor dv = tensor(ROWS, SHAPE.kvHeads() * HEAD_DIM);
            return kernels -> kernels.attentionBackward(q, kv, kv, spans, SHAPE, out, logSumExp, out, dq, dk, dv);
        }),
        ATTENTION_DECODE(() -> {
            Tensor q = tensor(1, COLS);
            Tensor kv = tensor(KEYS, SHAPE.kvHeads() * HEAD_DIM);
            Tensor out = tensor(1, COLS);
            Tensor logSumExp = tensor(1, SHAPE.heads());
            Tensor cache = new CacheLayout(SHAPE).allocate(Arena.ofAuto(), KEYS);
            return kernels -> {
                kernels.store(kv, kv, cache, cache, 0, SHAPE);
                kernels.cachedAttention(q, cache, cache, KEYS, SHAPE, out, logSumExp);
            };
        }),
        CACHED_ATTENTION(() -> {
            Tensor q = tensor();
            Tensor kv = tensor(ROWS, SHAPE.kvHeads() * HEAD_DIM);
            Tensor out = tensor();
            Tensor logSumExp = tensor(ROWS, SHAPE.heads());
            Tensor cache = new CacheLayout(SHAPE).allocate(Arena.ofAuto(), ROWS);
            return kernels -> {
                kernels.store(kv, kv, cache, cache, 0, SHAPE);
                kernels.cachedAttention(q, cache, cache, ROWS, SHAPE, out, logSumExp);
            };
        }),
        CROSS_ENTROPY(() -> {
            Tensor logits = tensor();
            int[] targets = new int[ROWS];
            Tensor losses = tensor(ROWS, 1);
            return kernels -> kernels.crossEntropy(logits, targets, losses, true, 0.1f);
        }),
        ADAM_W(() -> {
            Tensor parameter = tensor();
            Tensor gradient = tensor();
            Tensor first = Tensor.allocate(Arena.ofAuto(), ROWS, COLS);
            Tensor second = Tensor.allocate(Arena.ofAuto(), ROWS, COLS);
            AdamWStep step = new AdamWStep(1, 1e-3, 0.9, 0.999, 1e-8, 0, 1);
            return kernels -> {
                kernels.adamW(parameter, gradient, first, second, step);
                kernels.sumOfSquares(List.of(parameter, gradient));
            };
        });

        private final Supplier<Call> operands;

        /** With operands that are made when they are wanted. */
        Kernel(Supplier<Call> operands) {
            this.operands = operands;
        }

        Call call() {
            return operands.get();
        }
    }

    @ParameterizedTest
    @EnumSource(Kernel.class)
    @Timeout(value = 1, unit = TimeUnit.MINUTES)
    void noVectorIsAnObject(Kernel kernel) {
        Call call = kernel.call();
        try (Kernels kernels = KernelsLookup.named("vector", 1)) {
            Allocation.onceCompiled(LIMIT, () -> call.run(kernels));
            for (int i = 0; i < CALLS; i++) {
                call.run(kernels);
            }
            assertThat(Allocation.onceCompiled(LIMIT, () -> call.run(kernels))).isLessThan(LIMIT);
        }
    }

    /** These two have as many steps as a method's compilation takes: with what calls them they would be too many. */
    @ParameterizedTest
    @ValueSource(classes = {AttentionForward.class, AttentionDecode.class})
    void softmaxIsCompiledByItself(Class<?> kernel) throws Exception {
        byte[] bytes =
                kernel.getResourceAsStream(kernel.getSimpleName() + ".class").readAllBytes();
        int length = ClassFile.of().parse(bytes).methods().stream()
                .filter(method -> method.methodName().equalsString("softmax"))
                .mapToInt(method ->
                        method.findAttribute(Attributes.code()).orElseThrow().codeLength())
                .sum();
        assertThat(length).isGreaterThan(LONGEST_PART);
    }
}
