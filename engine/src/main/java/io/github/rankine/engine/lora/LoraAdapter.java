package io.github.rankine.engine.lora;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Dropout;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.BiFunction;
import java.util.stream.Collectors;

/** An adapter over one base: the updates of its target modules (Hu et al. 2021). */
public final class LoraAdapter {
    private final LoraConfig config;
    private final SequencedMap<String, LoraModule> modules;

    private LoraAdapter(LoraConfig config, SequencedMap<String, LoraModule> modules) {
        this.config = config;
        this.modules = modules;
    }

    /**
     * A fresh adapter, initialised as PEFT does: A from U(−1/√in, 1/√in), which is Kaiming's uniform with a = √5, and B zero,
     * so that it changes nothing yet.
     *
     * @param linears every linear layer of the base
     * @throws RankineException when no layer is targeted, or the rank exceeds every matrix it would adapt
     */
    public static LoraAdapter initialize(LoraConfig config, List<LinearShape> linears, long seed, Arena arena) {
        List<LinearShape> targets = targets(config, linears);
        return build(config, targets, (linear, rank) -> {
            Tensor a = Tensor.allocate(arena, rank, linear.inputs());
            float bound = (float) (1 / Math.sqrt(linear.inputs()));
            long moduleSeed = Dropout.seedOf(seed, linears.indexOf(linear));
            for (long i = 0; i < a.size(); i++) {
                a.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (2 * Dropout.uniform(moduleSeed, i) - 1) * bound);
            }
            return new LoraWeights(
                    a.asWeight(), Tensor.allocate(arena, linear.outputs(), rank).asWeight());
        });
    }

    /** An adapter without memory, for planning. */
    public static LoraAdapter planned(LoraConfig config, List<LinearShape> linears) {
        return build(
                config,
                targets(config, linears),
                (linear, rank) -> new LoraWeights(
                        DenseWeight.shapeOnly(DType.F32, rank, linear.inputs()),
                        DenseWeight.shapeOnly(DType.F32, linear.outputs(), rank)));
    }

    /**
     * A stored adapter over this base. The factors are copied to float32.
     *
     * @throws RankineException naming the first tensor that is missing, not wanted or of another shape
     */
    public static LoraAdapter of(
            LoraConfig config, List<LinearShape> linears, Map<String, LoraWeights> stored, Arena arena) {
        Map<String, LinearShape> byName =
                linears.stream().collect(Collectors.toMap(LinearShape::name, linear -> linear));
        for (String module : stored.keySet()) {
            if (!byName.containsKey(module)) {
                throw new RankineException("the adapter has " + module
                        + ".lora_A.weight, but this base has no such layer: it was made for another base model");
            }
        }
        List<LinearShape> targets = linears.stream()
                .filter(linear -> stored.containsKey(linear.name()))
                .toList();
        for (LinearShape linear : linears) {
            if (config.targets(linear.name(), linear.head()) && !stored.containsKey(linear.name())) {
                throw new RankineException("the adapter lacks " + linear.name()
                        + ".lora_A.weight, which its target_modules name in this base: it was made for another base"
                        + " model");
            }
        }
        return build(config, targets, (linear, rank) -> {
            LoraWeights factors = stored.get(linear.name());
            check(linear.name() + ".lora_A.weight", factors.a(), rank, linear.inputs());
            check(linear.name() + ".lora_B.weight", factors.b(), linear.outputs(), rank);
            return new LoraWeights(
                    factors.a().toTensor(arena).asWeight(),
                    factors.b().toTensor(arena).asWeight());
        });
    }

    private static void check(String tensor, Weight found, long rows, long cols) {
        if (found.rows() != rows || found.cols() != cols) {
            throw new RankineException("the adapter's " + tensor + " is [" + found.rows() + ", " + found.cols()
                    + "], this base needs [" + rows + ", " + cols + "]: it was made for another base model");
        }
    }

    private static LoraAdapter build(
            LoraConfig config, List<LinearShape> targets, BiFunction<LinearShape, Integer, LoraWeights> factors) {
        SequencedMap<String, LoraModule> modules = new LinkedHashMap<>();
        for (LinearShape linear : targets) {
            LoraWeights made = factors.apply(linear, config.rank(linear.name()));
            modules.put(
                    linear.name(),
                    new LoraModule(
                            new Parameter(linear.name() + ".lora_A.weight", made.a()),
                            new Parameter(linear.name() + ".lora_B.weight", made.b()),
                            config.scaling(linear.name()),
                            config.dropout()));
        }
        return new LoraAdapter(config, Collections.unmodifiableSequencedMap(modules));
    }

    private static List<LinearShape> targets(LoraConfig config, List<LinearShape> linears) {
        List<LinearShape> targets = linears.stream()
                .filter(linear -> config.targets(linear.name(), linear.head()))
                .toList();
        if (targets.isEmpty()) {
            throw new RankineException(
                    "target modules match nothing in this model; its linear layers are " + endings(linears));
        }
        if (oversized(config, targets).size() == targets.size()) {
            throw new RankineException("rank " + config.rank(targets.getFirst().name())
                    + " is larger than every matrix it would adapt: choose a smaller rank");
        }
        return targets;
    }

    /**
     * Refuses target modules and patterns of ranks that are named and are nowhere in the model: where others match, a misspelt
     * one would otherwise go unnoticed.
     *
     * @throws RankineException naming the first such name and those there are
     */
    public static void requireTargets(LoraConfig config, List<LinearShape> linears) {
        if (config.targetModules() instanceof ModuleSelector.Suffixes suffixes) {
            for (String name : suffixes.names()) {
                ModuleSelector one = new ModuleSelector.Suffixes(List.of(name));
                if (linears.stream().noneMatch(linear -> one.selects(linear.name(), linear.head()))) {
                    throw new RankineException("target module '" + name
                            + "' is not in this model; its linear layers are " + endings(linears));
                }
            }
        }
        List<String> names = linears.stream()
                .filter(linear -> config.targets(linear.name(), linear.head()))
                .map(LinearShape::name)
                .toList();
        for (String pattern : config.unusedRankPatterns(names)) {
            throw new RankineException("rank_pattern '" + pattern
                    + "' matches none of this model's target modules; is it" + " for another model?");
        }
    }

    private static String endings(List<LinearShape> linears) {
        return linears.stream()
                .map(linear -> linear.name().replaceFirst(".*\\.", ""))
                .distinct()
                .collect(Collectors.joining(", "));
    }

    /** Names of the targeted layers of which a side is smaller than the rank: more rank cannot help there. */
    public static List<String> oversized(LoraConfig config, List<LinearShape> linears) {
        return linears.stream()
                .filter(linear -> config.targets(linear.name(), linear.head()))
                .filter(linear -> config.rank(linear.name()) > Math.min(linear.inputs(), linear.outputs()))
                .map(LinearShape::name)
                .toList();
    }

    public LoraConfig config() {
        return config;
    }

    /** The updates by module name, in the model's order. */
    public SequencedMap<String, LoraModule> modules() {
        return modules;
    }

    /** A and B of each module, in the model's order. */
    public List<Parameter> parameters() {
        List<Parameter> parameters = new ArrayList<>();
        modules.values().forEach(module -> {
            parameters.add(module.a());
            parameters.add(module.b());
        });
        return parameters;
    }
}
