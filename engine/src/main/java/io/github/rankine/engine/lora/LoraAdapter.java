package io.github.rankine.engine.lora;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** An adapter over one base: the updates of its target modules (Hu et al. 2021), and what it replaces of the base. */
public final class LoraAdapter {
    private final LoraConfig config;
    private final SequencedMap<String, LoraModule> modules;
    private final SequencedMap<String, LoraEmbedding> embeddings;
    private final SequencedMap<String, Parameter> replaced;

    LoraAdapter(
            LoraConfig config,
            SequencedMap<String, LoraModule> modules,
            SequencedMap<String, LoraEmbedding> embeddings,
            SequencedMap<String, Parameter> replaced) {
        this.config = config;
        this.modules = Collections.unmodifiableSequencedMap(modules);
        this.embeddings = Collections.unmodifiableSequencedMap(embeddings);
        this.replaced = Collections.unmodifiableSequencedMap(replaced);
    }

    /**
     * A fresh adapter, initialised as PEFT does, so that it changes nothing yet: A from U(−1/√in, 1/√in), which is Kaiming's uniform with
     * a = √5, and B zero; of an embedding A zero and B from a normal distribution; with DoRA the magnitudes that the weight's rows have.
     *
     * @throws RankineException when no layer is targeted, or the rank exceeds every matrix it would adapt
     */
    public static LoraAdapter initialize(LoraConfig config, BaseShape base, long seed, Arena arena) {
        return initialize(config, base, seed, arena, PrincipalComponents.NONE);
    }

    /**
     * The same of an adapter that may be PiSSA, whose matrices begin as a part of the weight.
     *
     * @throws RankineException when no layer is targeted, or the rank exceeds every matrix it would adapt
     */
    public static LoraAdapter initialize(
            LoraConfig config, BaseShape base, long seed, Arena arena, PrincipalComponents components) {
        requireTarget(config, base);
        return new LoraBuilder(config, base, arena, components).fresh(seed);
    }

    /** An adapter without memory, for planning. */
    public static LoraAdapter planned(LoraConfig config, BaseShape base) {
        requireTarget(config, base);
        return new LoraBuilder(config, base, Arena.global(), PrincipalComponents.NONE).planned();
    }

    /**
     * A stored adapter over this base. What is stored is copied to float32.
     *
     * @throws RankineException naming the first tensor that is missing, not wanted or of another shape
     */
    public static LoraAdapter of(LoraConfig config, BaseShape base, AdapterWeights stored, Arena arena) {
        return of(config, base, stored, arena, PrincipalComponents.NONE);
    }

    /**
     * The same of an adapter that may be PiSSA, which is over what is left of the weights without their principal parts.
     *
     * @throws RankineException naming the first tensor that is missing, not wanted or of another shape
     */
    public static LoraAdapter of(
            LoraConfig config, BaseShape base, AdapterWeights stored, Arena arena, PrincipalComponents components) {
        return new LoraBuilder(config, base, arena, components).of(stored);
    }

    private static void requireTarget(LoraConfig config, BaseShape base) {
        List<LinearShape> targets = targets(config, base);
        if (targets.isEmpty()) {
            throw new RankineException(
                    "target modules match nothing in this model; its linear layers are " + endings(base.linears()));
        }
        if (oversized(config, base).size() == targets.size()) {
            throw new RankineException("rank " + config.rank(targets.getFirst().name())
                    + " is larger than every matrix it would adapt: choose a smaller rank");
        }
    }

    /** The layers that get an adapter, the embedding first if it does. */
    static List<LinearShape> targets(LoraConfig config, BaseShape base) {
        List<LinearShape> targets = new ArrayList<>();
        targets.add(base.embedding());
        targets.addAll(base.linears());
        targets.removeIf(shape -> !config.targets(shape.name(), shape.head()));
        return targets;
    }

    /**
     * Refuses target modules, modules to save and patterns of ranks that are named and are nowhere in the model: where others match, a
     * misspelt one would otherwise go unnoticed.
     *
     * @throws RankineException naming the first such name and those there are
     */
    public static void requireTargets(LoraConfig config, BaseShape base) {
        if (config.targetModules() instanceof ModuleSelector.Suffixes suffixes) {
            List<LinearShape> shapes = new ArrayList<>(base.linears());
            shapes.add(base.embedding());
            for (String name : suffixes.names()) {
                ModuleSelector one = new ModuleSelector.Suffixes(List.of(name));
                if (shapes.stream().noneMatch(shape -> one.selects(shape.name(), shape.head()))) {
                    throw new RankineException("target module '" + name
                            + "' is not in this model; its linear layers are " + endings(base.linears())
                            + ", its embedding is " + endings(List.of(base.embedding())));
                }
            }
        }
        for (String name : config.modulesToSave()) {
            LoraConfig one = config.withModulesToSave(List.of(name));
            if (LoraBuilder.savedParameters(one, base).isEmpty()) {
                throw new RankineException("module to save '" + name + "' is not in this model; its modules are "
                        + Stream.concat(
                                        base.parameters().stream()
                                                .map(parameter -> LoraBuilder.module(parameter.name())),
                                        base.linears().stream().map(LinearShape::name))
                                .map(LoraAdapter::ending)
                                .distinct()
                                .collect(Collectors.joining(", ")));
            }
        }
        List<String> names =
                targets(config, base).stream().map(LinearShape::name).toList();
        for (String pattern : config.unusedRankPatterns(names)) {
            throw new RankineException("rank_pattern '" + pattern
                    + "' matches none of this model's target modules; is it" + " for another model?");
        }
    }

    private static String endings(List<LinearShape> linears) {
        return linears.stream().map(linear -> ending(linear.name())).distinct().collect(Collectors.joining(", "));
    }

    private static String ending(String name) {
        return name.substring(name.lastIndexOf('.') + 1);
    }

    /** Names of the targeted layers of which a side is smaller than the rank: more rank cannot help there. */
    public static List<String> oversized(LoraConfig config, BaseShape base) {
        return targets(config, base).stream()
                .filter(shape -> config.rank(shape.name()) > Math.min(shape.inputs(), shape.outputs()))
                .map(LinearShape::name)
                .toList();
    }

    public LoraConfig config() {
        return config;
    }

    /** The updates of linear layers by module name, in the model's order. */
    public SequencedMap<String, LoraModule> modules() {
        return modules;
    }

    /** The update of the token embedding by module name, if there is one. */
    public SequencedMap<String, LoraEmbedding> embeddings() {
        return embeddings;
    }

    /** Weights and biases that take the place of the base's while the adapter is active, under their names there. */
    public SequencedMap<String, Parameter> replaced() {
        return replaced;
    }

    /** Everything that is trained, in the model's order. */
    public List<Parameter> parameters() {
        List<Parameter> parameters = new ArrayList<>();
        embeddings.values().forEach(embedding -> parameters.addAll(embedding.parameters()));
        modules.values().forEach(module -> parameters.addAll(module.parameters()));
        parameters.addAll(replaced.values());
        return parameters;
    }

    /** Bytes that it takes beside what is trained: PiSSA's first matrices, DoRA's norms. */
    public long frozenBytes() {
        return modules.values().stream().mapToLong(LoraModule::frozenBytes).sum();
    }

    /** The weights as they are stored; what has to be turned round for that is copied to {@code arena}. */
    public AdapterWeights stored(Arena arena) {
        Map<String, LoraWeights> low = new LinkedHashMap<>();
        modules.forEach((name, module) -> low.put(name, module.stored()));
        return new AdapterWeights(low, storedEmbeddings(arena), storedReplaced());
    }

    /**
     * The same as plain LoRA over the base itself, for readers that do not take PiSSA's residual; their configuration is
     * {@link LoraConfig#doubled}. Empty when this is no PiSSA adapter.
     */
    public Optional<AdapterWeights> asLora(Arena arena) {
        if (!config.initialization().isPissa()) {
            return Optional.empty();
        }
        Map<String, LoraWeights> low = new LinkedHashMap<>();
        modules.forEach((name, module) -> low.put(name, ((Pissa) module).asLora(arena)));
        return Optional.of(new AdapterWeights(low, Map.of(), storedReplaced()));
    }

    private Map<String, LoraWeights> storedEmbeddings(Arena arena) {
        Map<String, LoraWeights> stored = new LinkedHashMap<>();
        embeddings.forEach((name, embedding) -> stored.put(name, embedding.stored(arena)));
        return stored;
    }

    private Map<String, Weight> storedReplaced() {
        return replaced.entrySet().stream()
                .collect(Collectors.toMap(
                        Map.Entry::getKey, entry -> entry.getValue().value(), (a, _) -> a, LinkedHashMap::new));
    }
}
