package io.github.rankine.engine.kernels;

import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;

/** Checks of arguments; a failure is a bug of the caller, so its message names the operation and both shapes. */
final class Shapes {
    private Shapes() {}

    static void check(boolean right, String operation, String expected, Object... given) {
        if (!right) {
            StringBuilder message = new StringBuilder(operation)
                    .append(": expected ")
                    .append(expected)
                    .append(", got");
            for (Object argument : given) {
                message.append(' ').append(describe(argument));
            }
            throw new IllegalArgumentException(message.toString());
        }
    }

    static boolean is(Tensor tensor, long rows, long cols) {
        return tensor.rows() == rows && tensor.cols() == cols;
    }

    static boolean same(Tensor first, Tensor second) {
        return is(second, first.rows(), first.cols());
    }

    static void checkIndices(int[] indices, long limit, String operation, String what) {
        for (int index : indices) {
            if (index < 0 || index >= limit) {
                throw new IllegalArgumentException(operation + ": " + what + " " + index + " is not below " + limit);
            }
        }
    }

    static void checkAttention(Tensor q, Tensor k, Tensor v, AttentionSpans spans, AttentionShape shape) {
        check(
                q.cols() == (long) shape.heads() * shape.headDim()
                        && k.cols() == (long) shape.kvHeads() * shape.headDim()
                        && same(k, v),
                "attention",
                "[n, heads · headDim], [m, kvHeads · headDim] twice",
                q,
                k,
                v,
                shape);
        check(shape.headDim() <= MicroKernel.KC, "attention", "a headDim up to " + MicroKernel.KC, shape);
        for (int s = 0; s < spans.sequences(); s++) {
            check(
                    inside(spans.queryStart()[s], spans.queryCount()[s], q.rows())
                            && inside(spans.keyStart()[s], spans.keyCount()[s], k.rows()),
                    "attention",
                    "spans inside the queries and keys",
                    q,
                    k,
                    "sequence " + s);
        }
    }

    private static boolean inside(long start, long count, long rows) {
        return start >= 0 && count >= 0 && start + count <= rows;
    }

    private static String describe(Object argument) {
        return switch (argument) {
            case Tensor t -> "[" + t.rows() + ", " + t.cols() + "]";
            case Weight w -> "[" + w.rows() + ", " + w.cols() + "] " + w.storage();
            case null, default -> String.valueOf(argument);
        };
    }
}
