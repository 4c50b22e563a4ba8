package io.github.rankine.engine.nn;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.AttentionShape;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.MemoryNeeds;
import io.github.rankine.engine.lora.BaseShape;
import io.github.rankine.engine.lora.LinearShape;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.prefix.Prefix;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.TokenOperations;
import io.github.rankine.engine.tape.Variable;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import java.util.function.Predicate;

/**
 * A decoder-only transformer. One forward pass serves training, evaluation and generation.
 *
 * <pre>
 *   ids ─ embedding (+ positions) ─ block × layers ─ rows that matter ─ norm ─ hidden [m, d] ─ head ─ logits [m, vocabulary]
 * </pre>
 */
public final class Decoder implements AutoCloseable {
    private final Parameter tokenEmbedding;
    private final Parameter positionEmbedding;
    private final List<DecoderBlock> blocks;
    private final Norm finalNorm;
    private final Linear head;
    private final RotaryTable rotary;
    private final int maxPositions;
    private final Adaptation adaptation;
    private Prefix prefix;

    /**
     * @param tokenEmbedding    {@code [vocabulary, d]}
     * @param positionEmbedding {@code [positions, d]}, or null where positions are rotary
     * @param head              to the vocabulary; its weight may be {@code tokenEmbedding} itself
     * @param rotary            the blocks' table, closed with the decoder; null where positions are learned
     * @param maxPositions      longest sequence the model was made for
     */
    public Decoder(
            Parameter tokenEmbedding,
            Parameter positionEmbedding,
            List<DecoderBlock> blocks,
            Norm finalNorm,
            Linear head,
            RotaryTable rotary,
            int maxPositions) {
        this.tokenEmbedding = tokenEmbedding;
        this.positionEmbedding = positionEmbedding;
        this.blocks = List.copyOf(blocks);
        this.finalNorm = finalNorm;
        this.head = head;
        this.rotary = rotary;
        this.maxPositions = maxPositions;
        adaptation = new Adaptation(tokenEmbedding, linears(), parameters());
    }

    public int vocabularySize() {
        return Math.toIntExact(tokenEmbedding.value().rows());
    }

    public int maxPositions() {
        return maxPositions - (prefix == null ? 0 : prefix.tokens());
    }

    /** Number of blocks. */
    public int layers() {
        return blocks.size();
    }

    /** Elements of a token's keys in a block, and of its values: kvHeads · headDim. */
    public int keyWidth() {
        return keyShape().kvHeads() * keyShape().headDim();
    }

    /** The first block's, whose keys are like all the others'. */
    private AttentionShape keyShape() {
        return blocks.getFirst().attention().shape();
    }

    /**
     * Puts virtual tokens before every sequence from here on; null takes them away. A cache keeps those that it was made with.
     *
     * @throws RankineException when they are for another model, or leave no room for a sequence
     */
    public void usePrefix(Prefix virtualTokens) {
        if (virtualTokens != null && virtualTokens.width() != 2 * layers() * keyWidth()) {
            throw new RankineException("the prefix has rows of " + virtualTokens.width() + " elements, this base needs "
                    + 2 * layers() * keyWidth() + ": it was made for another base model");
        }
        if (virtualTokens != null && virtualTokens.tokens() >= maxPositions) {
            throw new RankineException("the prefix has " + virtualTokens.tokens() + " virtual tokens, the model takes "
                    + maxPositions + " with the text: nothing is left for it");
        }
        prefix = virtualTokens;
    }

    /** Whether a longer sequence than {@link #maxPositions} is impossible and not merely unwise. */
    public boolean hasLearnedPositions() {
        return positionEmbedding != null;
    }

    /**
     * The last hidden states {@code [m, d]} of a batch's loss rows.
     *
     * @param recompute whether the backward pass computes each block again instead of keeping what it needs: less memory, a third more time
     */
    public Variable forward(Tape tape, Batch batch, boolean recompute) {
        adaptation.begin(batch.starts(), batch.lossRows());
        Variable virtualTokens = prefix == null ? null : prefix.values(tape);
        Variable x = blocks(tape, batch.ids(), Context.of(batch, virtualTokens), recompute);
        if (virtualTokens != null) {
            tape.done(virtualTokens);
        }
        if (batch.lossRows().length < batch.tokens()) {
            Variable all = x;
            x = TokenOperations.gatherRows(tape, all, batch.lossRows());
            tape.done(all);
        }
        return normalise(tape, x);
    }

    /** The last hidden state {@code [1, d]} after {@code ids}, which follow the tokens in the cache and join them. */
    public Variable forward(Tape tape, int[] ids, KeyValueCache cache) {
        adaptation.begin(new int[] {0, ids.length}, new int[] {ids.length - 1});
        Variable x = blocks(tape, ids, Context.after(cache, ids.length), false);
        cache.advance(ids.length);
        if (x.rows() > 1) {
            Variable all = x;
            x = TokenOperations.gatherRows(tape, all, new int[] {ids.length - 1});
            tape.done(all);
        }
        return normalise(tape, x);
    }

    /** Hidden states {@code [m, d]} to logits {@code [m, vocabulary]}. */
    public Variable logits(Tape tape, Variable hidden) {
        return head.apply(tape, hidden);
    }

    private Variable blocks(Tape tape, int[] ids, Context context, boolean recompute) {
        Variable x = adaptation.embed(tape, ids, context.starts());
        if (positionEmbedding != null) {
            x = TokenOperations.addEmbedding(tape, x, context.positions(), positionEmbedding);
        }
        // Of the last block generation needs all keys and values, but only the last token's result. Adapters of
        // sequences' own want whole sequences.
        boolean lastRowDoes = context.cache() != null && !adaptation.isPerSequence();
        for (int layer = 0; layer < blocks.size(); layer++) {
            tape.mark();
            DecoderBlock block = blocks.get(layer);
            int index = layer;
            Context here = lastRowDoes && layer == blocks.size() - 1 ? context.onlyLast() : context;
            if (recompute) {
                Variable before = x;
                List<Variable> others = context.prefix() == null ? List.of() : List.of(context.prefix());
                x = tape.recomputed(
                        before, others, block.isTrainable(), (inner, input) -> block.apply(inner, input, here, index));
                tape.done(before);
            } else {
                x = block.apply(tape, x, here, index);
            }
        }
        tape.mark();
        return x;
    }

    private Variable normalise(Tape tape, Variable x) {
        Variable y = finalNorm.apply(tape, x);
        tape.done(x);
        return y;
    }

    /** A cache for {@code capacity} tokens, empty but for the virtual ones. */
    public KeyValueCache newCache(int capacity, Kernels kernels) {
        if (prefix == null) {
            return KeyValueCache.allocate(kernels, layers(), capacity, keyShape());
        }
        KeyValueCache cache = KeyValueCache.allocate(kernels, layers(), prefix.tokens() + capacity, keyShape());
        try (Arena arena = Arena.ofShared()) {
            cache.storePrefix(prefix.computed(kernels, arena));
        }
        return cache;
    }

    /** Bytes of a cache for {@code capacity} tokens. */
    public long cacheBytes(int capacity) {
        long tokens = (long) capacity + (prefix == null ? 0 : prefix.tokens());
        return 2L * layers() * tokens * keyWidth() * Float.BYTES;
    }

    /** A cache without memory, for planning. */
    public KeyValueCache plannedCache(int capacity) {
        int virtual = prefix == null ? 0 : prefix.tokens();
        KeyValueCache cache = KeyValueCache.planned(layers(), virtual + capacity, keyShape());
        cache.advance(virtual);
        return cache;
    }

    /** Every linear layer, the head last. */
    public List<Linear> linears() {
        List<Linear> linears = new ArrayList<>();
        blocks.forEach(block -> linears.addAll(block.linears()));
        linears.add(head);
        return linears;
    }

    /** The linear layers as adapters see them. */
    public List<LinearShape> linearShapes() {
        return linears().stream().map(Linear::shape).toList();
    }

    /** What an adapter must know of this model. */
    public BaseShape shape() {
        String weight = tokenEmbedding.name();
        LinearShape embedding = new LinearShape(
                weight.substring(0, weight.lastIndexOf('.')),
                tokenEmbedding.value().rows(),
                tokenEmbedding.value().cols(),
                true,
                // Not among what "all-linear" means, as the head is not.
                true);
        return new BaseShape(linearShapes(), embedding, List.copyOf(parameters()));
    }

    /** Every weight once, in the order of the data's way. */
    public SequencedSet<Parameter> parameters() {
        SequencedSet<Parameter> all = new LinkedHashSet<>();
        all.add(tokenEmbedding);
        if (positionEmbedding != null) {
            all.add(positionEmbedding);
        }
        for (DecoderBlock block : blocks) {
            all.addAll(block.attentionNorm().parameters());
            block.attention().linears().forEach(linear -> addTo(all, linear));
            all.addAll(block.mlpNorm().parameters());
            block.mlp().linears().forEach(linear -> addTo(all, linear));
        }
        all.addAll(finalNorm.parameters());
        addTo(all, head);
        return all;
    }

    /** What a pass needs with tensors of so many bytes, and with all that is active but trained: weights, adapters, a prefix. */
    public MemoryNeeds memoryNeeds(long tensorBytes) {
        SequencedSet<Parameter> read = parameters();
        read.addAll(adaptation.parametersInUse());
        if (prefix != null) {
            read.addAll(prefix.parameters());
        }
        return new MemoryNeeds(
                read.stream()
                        .filter(parameter -> !parameter.isTrainable())
                        .map(Parameter::value)
                        .toList(),
                tensorBytes + adaptation.frozenBytes());
    }

    /** The weights and biases of the linear layers that are chosen. */
    public List<Parameter> parameters(Predicate<LinearShape> chosen) {
        SequencedSet<Parameter> parameters = new LinkedHashSet<>();
        linears().stream().filter(linear -> chosen.test(linear.shape())).forEach(linear -> addTo(parameters, linear));
        return List.copyOf(parameters);
    }

    private static void addTo(SequencedSet<Parameter> all, Linear linear) {
        all.add(linear.weight());
        if (linear.bias() != null) {
            all.add(linear.bias());
        }
    }

    /**
     * Uses these adapters from here on, their updates added up; none of them restores the base.
     *
     * @throws RankineException when one is for another base, or several cannot be added up: two bring their own of one weight, or a DoRA
     *     adapter, which rescales all before it, is among several
     */
    public void activate(LoraAdapter... adapters) {
        adaptation.activate(adapters);
    }

    /**
     * Uses an adapter for each sequence of the batches that follow, null for none. For logits: training and evaluation take one
     * choice for all.
     *
     * @throws RankineException when one is for another base, or brings whole weights of its own, which a batch shares
     */
    public void activatePerSequence(List<LoraAdapter> adapters) {
        adaptation.activatePerSequence(adapters);
    }

    /** Bytes that the active adapters take beside what is trained of them. */
    public long frozenAdapterBytes() {
        return adaptation.frozenBytes();
    }

    /** Whether sequences of a batch use adapters of their own. */
    public boolean hasAdaptersPerSequence() {
        return adaptation.isPerSequence();
    }

    /**
     * Adds an adapter to the weights themselves, in float32, and deactivates adapters. The checkpoint's weights are
     * untouched: the sums are copies. Merging again replaces what was merged.
     */
    public void merge(Kernels kernels, LoraAdapter adapter) {
        adaptation.merge(kernels, adapter);
    }

    /** Computes with these weights of linear layers, by module name, in place of the checkpoint's, and deactivates adapters. */
    public void replace(Map<String, Weight> weights) {
        adaptation.replace(weights);
    }

    /** Back to the checkpoint's weights, bit for bit. */
    public void unmerge() {
        adaptation.unmerge();
    }

    @Override
    public void close() {
        unmerge();
        if (rotary != null) {
            rotary.close();
        }
    }
}
