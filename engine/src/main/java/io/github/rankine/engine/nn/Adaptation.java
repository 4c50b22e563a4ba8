package io.github.rankine.engine.nn;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LinearShape;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraEmbedding;
import io.github.rankine.engine.lora.LoraModule;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.TokenOperations;
import io.github.rankine.engine.tape.Variable;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedSet;
import java.util.Set;
import java.util.stream.Stream;

/** What adapters make of a decoder at the moment: the base's weights stay as they are. */
final class Adaptation {
    private final Parameter tokenEmbedding;
    private final Linear head;
    private final Map<String, Linear> linears = new LinkedHashMap<>();
    private final Map<String, Parameter> parameters = new HashMap<>();

    private List<LoraAdapter> active = List.of();
    private List<LoraAdapter> perSequence = List.of();
    private Parameter embeddingInUse;
    private List<Parameter> replaced = List.of();
    private Merged merged = Merged.NOTHING;

    /**
     * What the base's weights are replaced by until {@link #unmerge}: beneath what is active.
     *
     * @param weights   of linear layers
     * @param embedding of tokens; null for the base's
     * @param adapter   that was merged, and brings what it brings; null for none
     * @param memory    of the sums; null when it is not ours
     */
    private record Merged(Map<Linear, Parameter> weights, Parameter embedding, LoraAdapter adapter, Arena memory) {
        static final Merged NOTHING = new Merged(Map.of(), null, null, null);
    }

    /**
     * @param tokenEmbedding {@code [vocabulary, d]}
     * @param linears        every linear layer, the head last
     * @param parameters     every weight
     */
    Adaptation(Parameter tokenEmbedding, List<Linear> linears, SequencedSet<Parameter> parameters) {
        this.tokenEmbedding = tokenEmbedding;
        head = linears.getLast();
        linears.forEach(linear -> this.linears.put(linear.name(), linear));
        parameters.forEach(parameter -> this.parameters.put(parameter.name(), parameter));
        embeddingInUse = tokenEmbedding;
    }

    /** As {@link Decoder#activate}. */
    void activate(LoraAdapter... adapters) {
        requireAdditive(adapters);
        Arrays.stream(adapters).forEach(this::requireOwn);
        restore();
        active = List.of(adapters);
        for (Linear linear : linears.values()) {
            List<ActiveModule> modules = new ArrayList<>(adapters.length);
            for (LoraAdapter adapter : adapters) {
                LoraModule module = adapter.modules().get(linear.name());
                if (module != null) {
                    modules.add(ActiveModule.everywhere(module));
                }
            }
            linear.setAdapters(modules);
        }
        for (LoraAdapter adapter : adapters) {
            bring(adapter);
        }
    }

    private static void requireAdditive(LoraAdapter... adapters) {
        Set<String> brought = new HashSet<>();
        for (LoraAdapter adapter : adapters) {
            if (adapters.length > 1 && adapter.config().dora()) {
                throw new RankineException(
                        "a DoRA adapter scales what the others add: activate it alone, or merge it first");
            }
            for (String name : adapter.replaced().keySet()) {
                if (!brought.add(name)) {
                    throw new RankineException("two adapters bring their own " + name + ": activate one of them");
                }
            }
        }
    }

    private void requireOwn(LoraAdapter adapter) {
        adapter.modules().forEach((name, module) -> {
            Linear linear = linears.get(name);
            long inputs = module.a().value().cols();
            long outputs = module.b().value().rows();
            LinearShape shape = linear == null ? null : linear.shape();
            if (shape == null || shape.inputs() != inputs || shape.outputs() != outputs) {
                throw new RankineException("an adapter of " + name + " [" + outputs + ", " + inputs
                        + "] is not for this base"
                        + (shape == null
                                ? ", which has no such layer"
                                : ", whose layer is [" + shape.outputs() + ", " + shape.inputs() + "]"));
            }
        });
        adapter.embeddings()
                .values()
                .forEach(embedding -> requireShape(
                        tokenEmbedding.name(),
                        embedding.a().value().rows(),
                        embedding.b().value().rows()));
        adapter.replaced()
                .forEach((name, parameter) -> requireShape(
                        name, parameter.value().rows(), parameter.value().cols()));
    }

    private void requireShape(String name, long rows, long cols) {
        Parameter own = name.equals(head.name() + ".weight") ? head.weight() : parameters.get(name);
        if (own == null || own.value().rows() != rows || own.value().cols() != cols) {
            throw new RankineException("an adapter's " + name + " [" + rows + ", " + cols + "] is not for this base");
        }
    }

    /** As {@link Decoder#activatePerSequence}. */
    void activatePerSequence(List<LoraAdapter> adapters) {
        for (LoraAdapter adapter : adapters) {
            if (adapter != null) {
                requireOwn(adapter);
                if (!adapter.replaced().isEmpty()) {
                    throw new RankineException("an adapter that brings its own "
                            + adapter.replaced().firstEntry().getKey()
                            + " cannot share a batch with others: activate it for all of it");
                }
            }
        }
        activate();
        perSequence = new ArrayList<>(adapters); // a list that may hold null
    }

    long frozenBytes() {
        return inUse().mapToLong(LoraAdapter::frozenBytes).sum();
    }

    /** What is read beside the base's own parameters. */
    List<Parameter> parametersInUse() {
        return Stream.concat(Stream.of(embeddingInUse), inUse().flatMap(adapter -> adapter.parameters().stream()))
                .toList();
    }

    private Stream<LoraAdapter> inUse() {
        return Stream.concat(active.stream(), perSequence.stream().filter(Objects::nonNull))
                .distinct();
    }

    boolean isPerSequence() {
        return !perSequence.isEmpty();
    }

    /** Puts what an adapter brings in place of the base's. The embedding and a head tied to it are one weight in the base and two here. */
    private void bring(LoraAdapter adapter) {
        List<Parameter> changed = new ArrayList<>(replaced);
        adapter.replaced().forEach((name, parameter) -> {
            if (name.equals(tokenEmbedding.name())) {
                embeddingInUse = parameter;
            } else if (name.equals(head.name() + ".weight")) {
                head.setWeight(parameter);
            } else {
                parameters.get(name).replaceBy(parameter);
                changed.add(parameters.get(name));
            }
        });
        replaced = changed;
    }

    /** Back to the base, or to what is merged. */
    private void restore() {
        active = List.of();
        perSequence = List.of();
        replaced.forEach(parameter -> parameter.replaceBy(null));
        replaced = List.of();
        embeddingInUse = merged.embedding == null ? tokenEmbedding : merged.embedding;
        linears.values().forEach(linear -> linear.setWeight(merged.weights.get(linear)));
        if (merged.adapter != null) {
            bring(merged.adapter);
        }
    }

    /**
     * Says how the rows of the pass that begins belong to sequences.
     *
     * @param starts   first row of each sequence, then the number of rows
     * @param lossRows rows of which the head will see the results
     */
    void begin(int[] starts, int[] lossRows) {
        if (perSequence.isEmpty()) {
            return;
        }
        if (perSequence.size() != starts.length - 1) {
            throw new RankineException("a batch of " + (starts.length - 1) + " sequences, but adapters for "
                    + perSequence.size() + ": one for each, or null for none");
        }
        int[] headStarts = new int[starts.length];
        for (int s = 0; s < starts.length; s++) {
            int row = Arrays.binarySearch(lossRows, starts[s]);
            headStarts[s] = row < 0 ? -row - 1 : row;
        }
        linears.forEach((name, linear) -> {
            List<ActiveModule> modules = new ArrayList<>();
            forEachRange(linear == head ? headStarts : starts, (adapter, first, count) -> {
                LoraModule module = adapter.modules().get(name);
                if (module != null) {
                    modules.add(new ActiveModule(module, first, count));
                }
            });
            linear.setAdapters(modules);
        });
    }

    /** Rows of one adapter, those of neighbouring sequences together. */
    @FunctionalInterface
    private interface Range {
        void accept(LoraAdapter adapter, int first, int count);
    }

    private void forEachRange(int[] starts, Range range) {
        for (int s = 0; s < perSequence.size(); ) {
            int end = s + 1;
            while (end < perSequence.size() && perSequence.get(end) == perSequence.get(s)) {
                end++;
            }
            int count = starts[end] - starts[s];
            if (perSequence.get(s) != null && count > 0) {
                range.accept(perSequence.get(s), starts[s], count);
            }
            s = end;
        }
    }

    /** The tokens' embeddings {@code [n, d]}. */
    Variable embed(Tape tape, int[] ids, int[] starts) {
        Variable x = TokenOperations.embedding(tape, ids, embeddingInUse);
        for (LoraAdapter adapter : active) {
            for (LoraEmbedding embedding : adapter.embeddings().values()) {
                x = embedding.apply(tape, ids, x);
            }
        }
        Variable all = x;
        forEachRange(starts, (adapter, first, count) -> {
            int[] own = Arrays.copyOfRange(ids, first, first + count);
            for (LoraEmbedding embedding : adapter.embeddings().values()) {
                embedding.apply(tape, own, tape.rows(all, first, count)); // in place
            }
        });
        return x;
    }

    /** As {@link Decoder#merge}. */
    void merge(Kernels kernels, LoraAdapter adapter) {
        unmerge();
        activate();
        requireOwn(adapter);
        Arena memory = Arena.ofShared();
        Map<Linear, Parameter> weights = new HashMap<>();
        for (Linear linear : linears.values()) {
            LoraModule module = adapter.modules().get(linear.name());
            if (module != null) {
                Parameter base = linear.weight();
                Weight sum = module.mergeInto(
                                kernels, base.value(), linear.shape().transposed(), memory)
                        .asWeight();
                weights.put(linear, new Parameter(base.name(), sum));
            }
        }
        Parameter embedding = null;
        for (LoraEmbedding update : adapter.embeddings().values()) {
            Weight sum =
                    update.mergeInto(kernels, tokenEmbedding.value(), memory).asWeight();
            embedding = new Parameter(tokenEmbedding.name(), sum);
        }
        merged = new Merged(weights, embedding, adapter, memory);
        restore();
    }

    /** As {@link Decoder#replace}. */
    void replace(Map<String, Weight> weights) {
        unmerge();
        activate();
        Map<Linear, Parameter> own = new HashMap<>();
        weights.forEach((name, weight) -> {
            Linear linear = linears.get(name);
            own.put(linear, new Parameter(linear.weight().name(), weight));
        });
        merged = new Merged(own, null, null, null);
        restore();
    }

    /** As {@link Decoder#unmerge}; what is active stays so. */
    void unmerge() {
        Merged before = merged;
        LoraAdapter[] still = active.toArray(LoraAdapter[]::new);
        List<LoraAdapter> rows = perSequence;
        merged = Merged.NOTHING;
        activate(still);
        perSequence = rows;
        if (before.memory != null) {
            before.memory.close();
        }
    }
}
