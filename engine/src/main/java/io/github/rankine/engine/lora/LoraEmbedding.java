package io.github.rankine.engine.lora;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.TokenOperations;
import io.github.rankine.engine.tape.Variable;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * LoRA of the token embedding: a token's row is {@code e + scaling · a · Bᵀ}, a its row of A. Dropout does not concern it. A is held with
 * a row a token, which is how it is looked up; files have it the other way round.
 *
 * @param a       {@code [vocabulary, r]}
 * @param b       {@code [dim, r]}
 * @param scaling α/r, or α/√r with rsLoRA
 */
public record LoraEmbedding(Parameter a, Parameter b, double scaling) {
    /** Everything in it that is trained. */
    public List<Parameter> parameters() {
        return List.of(a, b);
    }

    /** The matrices that it is stored as: {@code [r, vocabulary]} and {@code [dim, r]}. */
    public LoraWeights stored(Arena arena) {
        return new LoraWeights(a.value().transposed(arena).asWeight(), b.value());
    }

    /**
     * The tokens' embeddings with the adapter.
     *
     * @param x {@code [n, dim]}, the embedding's own rows; their memory becomes the result's
     */
    public Variable apply(Tape tape, int[] ids, Variable x) {
        return TokenOperations.lowRankEmbedding(tape, ids, x, a, b, (float) scaling);
    }

    /** The embedding with the adapter, in float32. */
    public Tensor mergeInto(Kernels kernels, Weight base, Arena arena) {
        Tensor merged = base.toTensor(arena);
        kernels.matmulNT(a.value().asTensor(), b.value(), merged, (float) scaling, true);
        return merged;
    }
}
