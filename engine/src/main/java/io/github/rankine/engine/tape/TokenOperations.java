package io.github.rankine.engine.tape;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiFunction;

/** Where tokens go in and where the loss comes out. */
public final class TokenOperations {
    private TokenOperations() {}

    /** A parameter as it is. */
    public static Variable parameter(Tape tape, Parameter parameter) {
        Variable y = tape.view(parameter.value().asTensor(), parameter.isTrainable());
        tape.record(y, List.of(), List.of(), () -> tape.kernels().add(y.gradient(), parameter.gradient()));
        return y;
    }

    /** {@code y[i] = table[ids[i]]}; {@code table [vocabulary, d]}. */
    public static Variable embedding(Tape tape, int[] ids, Parameter table) {
        Kernels kernels = tape.kernels();
        Variable y = tape.output(ids.length, table.value().cols(), table.isTrainable());
        kernels.embedding(ids, table.value(), y.value(), false);
        tape.record(y, List.of(), List.of(), () -> kernels.embeddingBackward(ids, y.gradient(), table.gradient()));
        return y;
    }

    /**
     * {@code x + scaling · a[ids] · Bᵀ}: a low-rank update of an embedding.
     *
     * @param x {@code [n, dim]}, the embedding's own rows; its memory becomes the result's
     * @param a {@code [vocabulary, r]}
     * @param b {@code [dim, r]}
     */
    public static Variable lowRankEmbedding(Tape tape, int[] ids, Variable x, Parameter a, Parameter b, float scaling) {
        Kernels kernels = tape.kernels();
        Buffer u = tape.take(ids.length, a.value().cols());
        kernels.embedding(ids, a.value(), u.tensor(), false);
        kernels.matmulNT(u.tensor(), b.value(), x.value(), scaling, true);
        Variable y = tape.outputInPlace(x, x.requiresGradient() || a.isTrainable() || b.isTrainable());
        tape.record(y, List.of(), List.of(u), () -> {
            Tensor dy = y.gradient();
            if (b.isTrainable()) {
                kernels.matmulTN(dy, u.tensor(), b.gradient(), scaling, true);
            }
            if (a.isTrainable()) {
                Buffer du = tape.take(ids.length, a.value().cols());
                kernels.matmulNN(dy, b.value(), du.tensor(), scaling, false);
                kernels.embeddingBackward(ids, du.tensor(), a.gradient());
                tape.give(du);
            }
            tape.passGradient(y, x);
        });
        return y;
    }

    /** {@code x[i] + table[positions[i]]}: learned positions; the result takes over {@code x}'s memory. */
    public static Variable addEmbedding(Tape tape, Variable x, int[] positions, Parameter table) {
        Kernels kernels = tape.kernels();
        kernels.embedding(positions, table.value(), x.value(), true);
        Variable y = tape.outputInPlace(x, x.requiresGradient() || table.isTrainable());
        tape.record(y, List.of(), List.of(), () -> {
            if (table.isTrainable()) {
                kernels.embeddingBackward(positions, y.gradient(), table.gradient());
            }
            tape.passGradient(y, x);
        });
        return y;
    }

    /** {@code y[i] = x[rows[i]]}; rows are distinct. */
    public static Variable gatherRows(Tape tape, Variable x, int[] rows) {
        Kernels kernels = tape.kernels();
        Variable y = tape.output(rows.length, x.cols(), x.requiresGradient());
        kernels.gatherRows(x.value(), rows, y.value());
        tape.record(y, List.of(), List.of(), () -> {
            boolean accumulate = x.hasGradient();
            kernels.gatherRowsBackward(rows, y.gradient(), tape.gradient(x), accumulate);
        });
        return y;
    }

    /**
     * The summed cross-entropy of {@code head(hidden)} against {@code targets}, in nats. Logits exist for {@code chunk} rows at a time: their
     * gradient is taken at once and only {@code hidden}'s is kept for the backward pass.
     *
     * @param hidden        {@code [n, d]}, one row a target
     * @param head          computes {@code [m, vocabulary]} from {@code [m, d]}
     * @param logits        the memory of one chunk
     * @param gradientScale factor of the gradient: one over the number of tokens that the step's loss is a mean of
     */
    public static double crossEntropy(
            Tape tape,
            Workspace logits,
            Variable hidden,
            int[] targets,
            BiFunction<Tape, Variable, Variable> head,
            int chunk,
            float gradientScale) {
        Kernels kernels = tape.kernels();
        Buffer losses = tape.take(targets.length, 1);
        Tensor dHidden = hidden.requiresGradient() ? tape.gradient(hidden) : null;
        for (int first = 0; first < targets.length; first += chunk) {
            kernels.mark();
            int count = Math.min(chunk, targets.length - first);
            Tape inner = tape.over(logits);
            Variable rows = new Variable(Buffer.view(hidden.value().rows(first, count)), hidden.requiresGradient());
            Variable scores = head.apply(inner, rows);
            int[] wanted = Arrays.copyOfRange(targets, first, first + count);
            boolean gradient = scores.requiresGradient();
            kernels.crossEntropy(scores.value(), wanted, losses.tensor().rows(first, count), gradient, gradientScale);
            if (gradient) {
                scores.setGradient(scores.takeValue());
                inner.backward();
                if (dHidden != null) {
                    kernels.copy(rows.gradient(), dHidden.rows(first, count));
                    inner.give(rows.takeGradient());
                }
            } else {
                inner.done(scores);
            }
        }
        double total = sum(kernels, losses.tensor());
        tape.give(losses);
        return total;
    }

    private static double sum(Kernels kernels, Tensor column) {
        double sum = 0;
        if (column.hasMemory()) {
            kernels.fetch(column);
            for (long i = 0; i < column.rows(); i++) {
                sum += column.get(i, 0);
            }
        }
        return sum;
    }
}
