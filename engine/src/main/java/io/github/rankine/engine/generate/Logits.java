package io.github.rankine.engine.generate;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.PlanningKernels;
import io.github.rankine.engine.nn.Batch;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.Variable;
import io.github.rankine.engine.tape.Workspace;
import io.github.rankine.engine.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** The logits of every position of one sequence, for comparing with other implementations. */
public final class Logits {
    private Logits() {}

    /**
     * Copies the logits of {@code tokens} into {@code out [tokens, vocabulary]}.
     *
     * @throws RankineException when there are no tokens, too many, or one that is not of this vocabulary
     */
    public static void of(Decoder decoder, Kernels kernels, int[] tokens, Tensor out) {
        of(decoder, kernels, List.of(tokens), out);
    }

    /**
     * Copies the logits of several sequences, computed side by side, into {@code out [tokens of all, vocabulary]}, one sequence after
     * another.
     *
     * @throws RankineException when there are no tokens, too many, or one that is not of this vocabulary
     */
    public static void of(Decoder decoder, Kernels kernels, List<int[]> sequences, Tensor out) {
        sequences.forEach(tokens -> check(decoder, tokens));
        int[] ids = sequences.stream().flatMapToInt(Arrays::stream).toArray();
        int[] positions = sequences.stream()
                .flatMapToInt(tokens -> IntStream.range(0, tokens.length))
                .toArray();
        int[] starts = new int[sequences.size() + 1];
        for (int s = 0; s < sequences.size(); s++) {
            starts[s + 1] = starts[s] + sequences.get(s).length;
        }
        int[] rows = IntStream.range(0, ids.length).toArray();
        Batch batch = new Batch(ids, positions, starts, rows, new int[ids.length]);
        try (Workspace planning = Workspace.planning();
                Workspace workspace = Workspace.empty(kernels)) {
            compute(Tape.withoutGradients(PlanningKernels.create(), planning), decoder, batch);
            if (kernels.haveOwnMemory()) {
                kernels.expect(decoder.memoryNeeds(planning.peak()));
            }
            workspace.reserve(planning.peak());
            Tensor logits = compute(Tape.withoutGradients(kernels, workspace), decoder, batch);
            kernels.fetch(logits);
            out.copyFrom(logits);
        }
    }

    private static void check(Decoder decoder, int[] tokens) {
        if (tokens.length == 0) {
            throw new RankineException("no tokens to compute logits of");
        }
        if (decoder.hasLearnedPositions() && tokens.length > decoder.maxPositions()) {
            throw new RankineException(
                    tokens.length + " tokens: the model takes " + decoder.maxPositions() + " at most");
        }
        for (int token : tokens) {
            if (token < 0 || token >= decoder.vocabularySize()) {
                throw new RankineException(
                        "token " + token + " is not in the model's vocabulary of " + decoder.vocabularySize());
            }
        }
    }

    private static Tensor compute(Tape tape, Decoder decoder, Batch batch) {
        Variable hidden = decoder.forward(tape, batch, false);
        return decoder.logits(tape, hidden).value();
    }
}
