package io.github.rankine.engine.kernels;

import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * Every computation of a training or generation step, forward and backward. A provider is chosen by
 * {@link KernelsLookup}; all of them pass one contract suite.
 *
 * <p>Common to all methods: matrices are {@code [rows, cols]}; {@code n} counts tokens (rows of all sequences of a batch,
 * one after another, without padding); inputs and outputs may be strided views and must not overlap unless said
 * otherwise; a parameter {@code accumulate} adds to the output instead of overwriting it, and without it the old content
 * is not read; gradients of parameters always accumulate. Memory behind an operand outlives the kernels, and frozen
 * weights never change while they are used. Operands whose shapes do not fit are an {@link IllegalArgumentException}. Results do not depend on
 * the number of threads.
 */
public interface Kernels extends AutoCloseable {
    /** Rows of an input that count as few: products with them are bound by reading the weight, as in generation. */
    int FEW_ROWS = 4;

    /** The provider's name, as {@code --kernels} takes it. */
    String name();

    // ---- products ------------------------------------------------------------------------------------------------

    /**
     * {@code c[m, n] (+)= alpha · a[m, k] · b[n, k]ᵀ}: the forward product of a linear layer whose weight is
     * {@code [out, in]}.
     */
    void matmulNT(Tensor a, Weight b, Tensor c, float alpha, boolean accumulate);

    /**
     * {@code cs[i] = a · bs[i]ᵀ}: the products of one input with several weights, the same as one by one. For at most {@link #FEW_ROWS} one
     * loop over all of them is shorter than several.
     */
    default void matmulNT(Tensor a, List<Weight> bs, List<Tensor> cs) {
        for (int i = 0; i < bs.size(); i++) {
            matmulNT(a, bs.get(i), cs.get(i), 1, false);
        }
    }

    /**
     * {@code c[m, n] (+)= a[m, k] · b[n, k]ᵀ + u[m, r] · v[n, r]ᵀ}: a linear layer with a low-rank update, in one pass over its output where
     * that is shorter than two.
     */
    default void matmulNT(Tensor a, Weight b, Tensor u, Weight v, Tensor c, boolean accumulate) {
        matmulNT(a, b, c, 1, accumulate);
        matmulNT(u, v, c, 1, true);
    }

    /** {@code c[m, n] (+)= alpha · a[m, k] · b[k, n]}: the gradient of a linear layer's input. */
    void matmulNN(Tensor a, Weight b, Tensor c, float alpha, boolean accumulate);

    /** {@code c[m, n] (+)= a[m, k] · b[k, n] + u[m, r] · v[r, n]}: the gradient of the input of a linear layer with a low-rank update. */
    default void matmulNN(Tensor a, Weight b, Tensor u, Weight v, Tensor c, boolean accumulate) {
        matmulNN(a, b, c, 1, accumulate);
        matmulNN(u, v, c, 1, true);
    }

    /** {@code c[m, n] (+)= alpha · a[k, m]ᵀ · b[k, n]}: the gradient of a linear layer's weight. */
    void matmulTN(Tensor a, Tensor b, Tensor c, float alpha, boolean accumulate);

    // ---- element-wise --------------------------------------------------------------------------------------------

    /** {@code y[n, d] = x[n, d]}. */
    default void copy(Tensor x, Tensor y) {
        y.copyFrom(x);
    }

    /** {@code y[n, d] = 0}. */
    default void clear(Tensor y) {
        y.clear();
    }

    /** {@code y[n, d] += x[n, d]}. */
    void add(Tensor x, Tensor y);

    /** {@code y[n, d] = alpha · x[n, d]}; {@code x} and {@code y} may be the same tensor. */
    void scale(Tensor x, float alpha, Tensor y);

    /** {@code y[n, d] += bias[d]} for every row. */
    void addBias(Tensor y, Weight bias);

    /** {@code dBias[1, d] += Σ_rows dy[n, d]}. */
    void addBiasBackward(Tensor dy, Tensor dBias);

    /** {@code y = silu(gate) · up}, all {@code [n, d]} (Shazeer 2020, "GLU Variants Improve Transformer"). */
    void swiglu(Tensor gate, Tensor up, Tensor y);

    /**
     * Gradients of {@link #swiglu}: overwrites {@code dGate} and {@code dUp}. {@code dUp} may be {@code dy}.
     */
    void swigluBackward(Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp);

    /** {@code y = gelu(x)}, both {@code [n, d]} (Hendrycks and Gimpel 2016), exact or with the tanh approximation. */
    void gelu(Tensor x, Tensor y, boolean tanhApproximation);

    /** {@code dx (+)= dy · gelu'(x)}. */
    void geluBackward(Tensor x, Tensor dy, Tensor dx, boolean tanhApproximation, boolean accumulate);

    /** {@code y = tanh(x)}, both {@code [n, d]}, which may be the same tensor. */
    void tanh(Tensor x, Tensor y);

    /** {@code dx = dy · (1 − y²)}, where {@code y = tanh(x)}; {@code dx} may be {@code dy}. */
    void tanhBackward(Tensor y, Tensor dy, Tensor dx);

    /**
     * Inverted dropout: {@code y (+)= x · keep / (1 − p)} where {@code keep} is drawn for each element by hashing
     * {@code (seed, row · cols + col)} ({@link Dropout}); the backward pass is the same call on the gradient. {@code x}
     * and {@code y} may be the same tensor.
     */
    void dropout(Tensor x, Tensor y, float probability, long seed, boolean accumulate);

    // ---- normalisation -------------------------------------------------------------------------------------------

    /**
     * {@code y = x · inverseRms · weight} by row, {@code inverseRms = 1/√(mean(x²) + eps)} (Zhang and Sennrich 2019).
     *
     * @param inverseRms written, {@code [n, 1]}
     */
    void rmsNorm(Tensor x, Weight weight, float eps, Tensor y, Tensor inverseRms);

    /** Gradients of {@link #rmsNorm}; {@code dWeight [1, d]} is null when the weight is frozen. */
    void rmsNormBackward(
            Tensor x, Weight weight, Tensor inverseRms, Tensor dy, Tensor dx, boolean accumulate, Tensor dWeight);

    /**
     * {@code y = (x − mean) · inverseDeviation · weight + bias} by row (Ba, Kiros and Hinton 2016), biased variance.
     *
     * @param statistics written, {@code [n, 2]}: mean and inverse standard deviation
     */
    void layerNorm(Tensor x, Weight weight, Weight bias, float eps, Tensor y, Tensor statistics);

    /** Gradients of {@link #layerNorm}; {@code dWeight} and {@code dBias [1, d]} are null when frozen. */
    void layerNormBackward(
            Tensor x,
            Weight weight,
            Tensor statistics,
            Tensor dy,
            Tensor dx,
            boolean accumulate,
            Tensor dWeight,
            Tensor dBias);

    // ---- positions and attention ---------------------------------------------------------------------------------

    /**
     * Rotates, in place, each head's pairs {@code (x[i], x[i + headDim/2])} by the angle of its position (Su et al. 2021, in
     * the half-split layout of Hugging Face checkpoints). The backward pass is the same call with {@code inverse}.
     *
     * @param x         {@code [n, heads · headDim]}
     * @param positions position of each row
     * @param table     {@code [positions, headDim]}: cosines of each pair's angle, then sines
     */
    void rotary(Tensor x, int[] positions, Tensor table, int headDim, boolean inverse);

    /**
     * Causal attention with grouped queries (Vaswani et al. 2017; Ainslie et al. 2023), each sequence by itself; the
     * probabilities are never stored (Dao et al. 2022).
     *
     * @param q            {@code [n, heads · headDim]}
     * @param k            {@code [m, kvHeads · headDim]}, the keys that {@code spans} refers to
     * @param v            as {@code k}
     * @param out          written, {@code [n, heads · headDim]}
     * @param logSumExp    written, {@code [n, heads]}: natural logarithm of each softmax's denominator
     */
    void attention(
            Tensor q, Tensor k, Tensor v, AttentionSpans spans, AttentionShape shape, Tensor out, Tensor logSumExp);

    /**
     * A zeroed cache for the keys, or the values, of {@code tokens} tokens of one sequence, whose order is the kernels' own: it is written by
     * {@link #store} and read by {@link #cachedAttention} alone.
     */
    default Tensor allocateCache(Arena arena, int tokens, AttentionShape shape) {
        long width = (long) shape.kvHeads() * shape.headDim();
        return Tensor.of(allocate(arena, 4 * tokens * width), tokens, width);
    }

    /**
     * Puts the keys and the values of some tokens, the first of which is number {@code position} of its sequence, into their caches.
     *
     * @param k {@code [n, kvHeads · headDim]}
     * @param v as {@code k}
     */
    default void store(Tensor k, Tensor v, Tensor keys, Tensor values, int position, AttentionShape shape) {
        copy(k, keys.rows(position, k.rows()));
        copy(v, values.rows(position, v.rows()));
    }

    /**
     * {@link #attention} to the first {@code tokens} tokens of a cache, of which {@code q}'s own are the last.
     *
     * @param q         {@code [n, heads · headDim]}
     * @param keys      a cache that {@link #store} wrote for all of the tokens
     * @param values    as {@code keys}
     * @param out       written, {@code [n, heads · headDim]}
     * @param logSumExp written, {@code [n, heads]}
     */
    default void cachedAttention(
            Tensor q, Tensor keys, Tensor values, int tokens, AttentionShape shape, Tensor out, Tensor logSumExp) {
        AttentionSpans spans = AttentionSpans.ofLast((int) q.rows(), tokens);
        attention(q, keys.rows(0, tokens), values.rows(0, tokens), spans, shape, out, logSumExp);
    }

    /** Gradients of {@link #attention}; overwrites {@code dq}, {@code dk} and {@code dv}. */
    void attentionBackward(
            Tensor q,
            Tensor k,
            Tensor v,
            AttentionSpans spans,
            AttentionShape shape,
            Tensor out,
            Tensor logSumExp,
            Tensor dOut,
            Tensor dq,
            Tensor dk,
            Tensor dv);

    // ---- embedding and loss --------------------------------------------------------------------------------------

    /** {@code y[i] (+)= table[ids[i]]}, {@code y [n, d]}. */
    void embedding(int[] ids, Weight table, Tensor y, boolean accumulate);

    /** {@code dTable[ids[i]] += dy[i]}, in the order of {@code i}. */
    void embeddingBackward(int[] ids, Tensor dy, Tensor dTable);

    /** {@code y[i] = x[rows[i]]}: the rows whose logits are wanted. */
    void gatherRows(Tensor x, int[] rows, Tensor y);

    /** {@code dx = 0, then dx[rows[i]] = dy[i]}, or {@code dx[rows[i]] += dy[i]}; rows are distinct. */
    void gatherRowsBackward(int[] rows, Tensor dy, Tensor dx, boolean accumulate);

    /**
     * Cross-entropy of softmax(logits) against {@code targets}, and its gradient.
     *
     * @param logits   {@code [n, vocabulary]}; when {@code gradient}, overwritten with
     *                 {@code (softmax(logits) − onehot(target)) · gradientScale}
     * @param targets  one token id a row
     * @param losses   written, {@code [n, 1]}: negative log-likelihood in nats
     */
    void crossEntropy(Tensor logits, int[] targets, Tensor losses, boolean gradient, float gradientScale);

    // ---- weights' rows and their lengths -------------------------------------------------------------------------

    /** {@code out[1, n]}: the squared lengths of a weight's rows, or of its columns. */
    void squaredNorms(Weight weight, boolean columns, Tensor out);

    /**
     * Lengths of the rows of {@code W + s · B · A} and what DoRA makes of them (Liu et al. 2024). For each row j:
     * {@code norm² = squares[j] + Σ_i b[j, i] · (2s · aw[i, j] + s² · ba[j, i])}.
     *
     * @param squares      {@code [1, n]}: squared lengths of W's rows
     * @param b            {@code [n, r]}
     * @param aw           {@code [r, n]}: A · Wᵀ
     * @param ba           {@code [n, r]}: B · A · Aᵀ
     * @param scaling      s
     * @param magnitude    {@code [1, n]}: the lengths that are wanted
     * @param factors      written, {@code [1, n]}: magnitude / norm
     * @param inverseNorms written, {@code [1, n]}: 1 / norm
     */
    void doraFactors(
            Tensor squares,
            Weight b,
            Tensor aw,
            Tensor ba,
            float scaling,
            Weight magnitude,
            Tensor factors,
            Tensor inverseNorms);

    /**
     * {@code y = (x − bias) · factors + bias} by column, all {@code [n, d]}; {@code bias [1, d]} may be null for none; {@code x} and
     * {@code y} may be the same tensor. The gradient of {@code x} is the same call on {@code dy}, without a bias.
     */
    void rescale(Tensor x, Tensor factors, Weight bias, Tensor y);

    /** {@code dMagnitude[1, d] += Σ_rows dy · (x − bias) · inverseNorms}. */
    void rescaleBackward(Tensor x, Tensor inverseNorms, Weight bias, Tensor dy, Tensor dMagnitude);

    // ---- optimiser -----------------------------------------------------------------------------------------------

    /** {@code Σ x²} over all tensors in double precision and a fixed order, each tensor's sum by itself first. */
    double sumOfSquares(List<Tensor> tensors);

    /**
     * One step of AdamW (Loshchilov and Hutter 2019) in place: {@code parameter}, {@code firstMoment} and
     * {@code secondMoment} are changed; the gradient is multiplied by {@code step.gradientScale()} first.
     */
    void adamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, AdamWStep step);

    // ---- memory of a device --------------------------------------------------------------------------------------

    // Kernels on the CPU compute in the host's memory, and there is nothing to do here. Those with a memory of their
    // own
    // bring other operands there and results back with each call.

    /** Whether the kernels have a memory of their own: then it pays to find out what a run needs and to say so. */
    default boolean haveOwnMemory() {
        return false;
    }

    /**
     * Says what will be needed, so that as much is taken.
     *
     * @throws io.github.rankine.engine.RankineException when the device has less
     */
    default void expect(MemoryNeeds needs) {}

    /**
     * Zeroed memory that lives with the kernels, until {@code arena} is closed: the host sees what they computed in it after {@link #fetch}, and
     * says by {@link #wrote} what it changed there.
     */
    default MemorySegment allocate(Arena arena, long bytes) {
        return arena.allocate(Math.max(4, bytes), Tensor.ALIGNMENT);
    }

    /** Has memory of the host live with the kernels from here on as if {@link #allocate} had made it, with what it holds. */
    default void adopt(MemorySegment memory, Arena arena) {}

    /** Brings what kernels computed in a tensor to the host. */
    default void fetch(Tensor tensor) {}

    /** Says that the host wrote this memory, of which kernels may have a copy. */
    default void wrote(MemorySegment memory) {}

    /**
     * Between two of these calls lies work that comes again, as a layer's forward or backward pass does: kernels that run later than they are
     * called may run it as one.
     */
    default void mark() {}

    /** Waits until all that was called is done. */
    default void finish() {}

    /** What was counted since a device was opened, by name: tasks that ran there, bytes that went there and back. */
    default SequencedMap<String, Long> counters() {
        return new LinkedHashMap<>();
    }

    /** Stops the provider's threads and frees its buffers. */
    @Override
    void close();
}
