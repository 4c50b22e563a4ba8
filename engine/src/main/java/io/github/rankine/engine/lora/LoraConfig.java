package io.github.rankine.engine.lora;

import io.github.rankine.engine.RankineException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Which modules an adapter changes and by what (Hu et al. 2021); the fields are those of PEFT's {@code LoraConfig}.
 *
 * @param rank              r, unless {@code rankPattern} says otherwise
 * @param alpha             α; the update is scaled by α/r, or α/√r with rsLoRA
 * @param dropout           probability of dropping an element of the adapter's input while training
 * @param targetModules     the modules that get an adapter
 * @param excludeModules    modules that get none all the same; null when there are none
 * @param layersToTransform indices of the layers to adapt; empty for all
 * @param layersPattern     names of the list that holds the layers (PEFT's {@code layers_pattern}); empty for any
 * @param rankPattern       ranks by module name pattern; the first that matches wins
 * @param alphaPattern      alphas by module name pattern; the first that matches wins
 * @param rslora            scale by α/√r (Kalajdzievski 2023)
 * @param dora              learn the magnitudes of the weight's rows apart from their directions (Liu et al. 2024); PEFT's use_dora
 * @param initialization    what A and B begin with; PEFT's init_lora_weights
 * @param modulesToSave     endings of the names of modules that are trained themselves and stored with the adapter
 * @param bias              which of the base's biases are trained and stored with the adapter
 */
public record LoraConfig(
        int rank,
        double alpha,
        double dropout,
        ModuleSelector targetModules,
        ModuleSelector excludeModules,
        List<Integer> layersToTransform,
        List<String> layersPattern,
        Map<String, Integer> rankPattern,
        Map<String, Double> alphaPattern,
        boolean rslora,
        boolean dora,
        Initialization initialization,
        List<String> modulesToSave,
        Bias bias) {

    private static final String LAYER = "layer";
    private static final String LAYER_NUMBER = "\\.(?<" + LAYER + ">\\d+)\\.";

    /** Reluctant, so that the first number counts. */
    private static final Pattern ANY_LAYER = Pattern.compile(".*?\\.[^.]*" + LAYER_NUMBER);

    /** @throws RankineException when a number is out of its range, or a pattern not a regular expression */
    public LoraConfig {
        if (rank < 1) {
            throw new RankineException("rank " + rank + ": a LoRA rank is at least 1");
        }
        if (!(alpha > 0) || Double.isInfinite(alpha)) {
            throw new RankineException("alpha " + alpha + ": must be a positive number");
        }
        if (!(dropout >= 0 && dropout < 1)) {
            throw new RankineException("dropout " + dropout + ": must be at least 0 and below 1");
        }
        rankPattern.forEach((pattern, r) -> {
            if (r < 1) {
                throw new RankineException("rank_pattern '" + pattern + "': rank " + r + ": a LoRA rank is at least 1");
            }
        });
        rankPattern.keySet().forEach(key -> modulePattern("rank_pattern", key));
        alphaPattern.keySet().forEach(key -> modulePattern("alpha_pattern", key));
        layersPattern.forEach(LoraConfig::layerPattern);
        if (!layersToTransform.isEmpty() && targetModules instanceof ModuleSelector.Expression) {
            throw new RankineException("layers_to_transform cannot be used with target_modules that are a regular"
                    + " expression: put the layers into the expression");
        }
        if (dora && initialization.isPissa()) {
            throw new RankineException(
                    "DoRA and PiSSA at once: PiSSA changes the weight that DoRA measures; choose one");
        }
        modulesToSave = List.copyOf(modulesToSave);
        layersToTransform = List.copyOf(layersToTransform);
        layersPattern = List.copyOf(layersPattern);
        rankPattern = Collections.unmodifiableMap(new LinkedHashMap<>(rankPattern));
        alphaPattern = Collections.unmodifiableMap(new LinkedHashMap<>(alphaPattern));
    }

    /** LoRA itself, without its variants. */
    public LoraConfig(
            int rank,
            double alpha,
            double dropout,
            ModuleSelector targetModules,
            ModuleSelector excludeModules,
            List<Integer> layersToTransform,
            List<String> layersPattern,
            Map<String, Integer> rankPattern,
            Map<String, Double> alphaPattern,
            boolean rslora) {
        this(
                rank,
                alpha,
                dropout,
                targetModules,
                excludeModules,
                layersToTransform,
                layersPattern,
                rankPattern,
                alphaPattern,
                rslora,
                false,
                Initialization.DEFAULT,
                List.of(),
                Bias.NONE);
    }

    /** The plain case: rank, alpha and targets. */
    public static LoraConfig of(int rank, double alpha, ModuleSelector targetModules) {
        return new LoraConfig(rank, alpha, 0, targetModules, null, List.of(), List.of(), Map.of(), Map.of(), false);
    }

    /** Which of the base's biases are trained, under PEFT's names. */
    public enum Bias {
        /** None. */
        NONE,
        /** Those of the layers that have an adapter. */
        LORA_ONLY,
        /** All, those of normalisations too. */
        ALL
    }

    /** The same with another dropout, which concerns training alone. */
    public LoraConfig withDropout(double probability) {
        return changed(fields -> fields.dropout = probability);
    }

    /** The same with magnitudes of their own for the rows of the weights. */
    public LoraConfig withDora(boolean wanted) {
        return changed(fields -> fields.dora = wanted);
    }

    /** The same with other first values. */
    public LoraConfig withInitialization(Initialization first) {
        return changed(fields -> fields.initialization = first);
    }

    /** The same with other modules trained themselves. */
    public LoraConfig withModulesToSave(List<String> names) {
        return changed(fields -> fields.modulesToSave = names);
    }

    /** The same with other biases trained. */
    public LoraConfig withBias(Bias trained) {
        return changed(fields -> fields.bias = trained);
    }

    /**
     * The plain LoRA that a PiSSA adapter is written as, which takes twice its rank: all ranks doubled, and α so that the scaling
     * stays.
     */
    public LoraConfig doubled() {
        double factor = rslora ? Math.sqrt(2) : 2;
        return changed(fields -> {
            fields.rank = 2 * rank;
            fields.alpha = factor * alpha;
            fields.rankPattern = new LinkedHashMap<>(rankPattern);
            fields.rankPattern.replaceAll((_, r) -> 2 * r);
            fields.alphaPattern = new LinkedHashMap<>(alphaPattern);
            fields.alphaPattern.replaceAll((_, value) -> factor * value);
            fields.initialization = Initialization.DEFAULT;
        });
    }

    private LoraConfig changed(Consumer<Fields> change) {
        Fields fields = new Fields(this);
        change.accept(fields);
        return fields.config();
    }

    /** The components that a changed copy may have others of. */
    private static final class Fields {
        private final LoraConfig original;
        private int rank;
        private double alpha;
        private double dropout;
        private Map<String, Integer> rankPattern;
        private Map<String, Double> alphaPattern;
        private boolean dora;
        private Initialization initialization;
        private List<String> modulesToSave;
        private Bias bias;

        Fields(LoraConfig original) {
            this.original = original;
            rank = original.rank;
            alpha = original.alpha;
            dropout = original.dropout;
            rankPattern = original.rankPattern;
            alphaPattern = original.alphaPattern;
            dora = original.dora;
            initialization = original.initialization;
            modulesToSave = original.modulesToSave;
            bias = original.bias;
        }

        LoraConfig config() {
            return new LoraConfig(
                    rank,
                    alpha,
                    dropout,
                    original.targetModules,
                    original.excludeModules,
                    original.layersToTransform,
                    original.layersPattern,
                    rankPattern,
                    alphaPattern,
                    original.rslora,
                    dora,
                    initialization,
                    modulesToSave,
                    bias);
        }
    }

    /** Whether the module of that name is trained itself; PEFT asks how names end, without regard to dots. */
    public boolean saves(String module) {
        return modulesToSave.stream().anyMatch(module::endsWith);
    }

    /** Whether the module of that name gets an adapter; {@code head} tells that it is the output head. */
    public boolean targets(String module, boolean head) {
        if (saves(module)) {
            return false;
        }
        if (excludeModules != null && excludeModules.selects(module, head)) {
            return false;
        }
        if (targetModules instanceof ModuleSelector.Suffixes suffixes
                && suffixes.names().contains(module)) {
            return true; // named in full: PEFT asks no further
        }
        return targetModules.selects(module, head) && inLayersToTransform(module);
    }

    private boolean inLayersToTransform(String module) {
        if (layersToTransform.isEmpty()) {
            return true;
        }
        List<Pattern> lists = layersPattern.isEmpty()
                ? List.of(ANY_LAYER)
                : layersPattern.stream().map(LoraConfig::layerPattern).toList();
        for (Pattern list : lists) {
            Matcher matcher = list.matcher(module);
            if (matcher.lookingAt()) {
                String layer = matcher.group(LAYER);
                return layer != null && layersToTransform.contains(Integer.parseInt(layer));
            }
        }
        return false;
    }

    /** r of that module. */
    public int rank(String module) {
        return find(rankPattern, module).orElse(rank);
    }

    /** The patterns among {@code rankPattern} that match none of these modules. */
    public List<String> unusedRankPatterns(List<String> modules) {
        return rankPattern.keySet().stream()
                .filter(key -> modules.stream()
                        .noneMatch(module -> modulePattern("rank_pattern", key)
                                .matcher(module)
                                .lookingAt()))
                .toList();
    }

    /** α of that module. */
    public double alpha(String module) {
        return find(alphaPattern, module).orElse(alpha);
    }

    /** The factor of B·A for that module. */
    public double scaling(String module) {
        int r = rank(module);
        return alpha(module) / (rslora ? Math.sqrt(r) : r);
    }

    private static <T> Optional<T> find(Map<String, T> patterns, String module) {
        return patterns.entrySet().stream()
                .filter(e ->
                        modulePattern("pattern", e.getKey()).matcher(module).lookingAt())
                .map(Map.Entry::getValue)
                .findFirst();
    }

    private static Pattern layerPattern(String list) {
        return compile("layers_pattern", list, "(?:^|.*?\\.)" + list + LAYER_NUMBER);
    }

    private static Pattern modulePattern(String field, String key) {
        return compile(field, key, "(.*\\.)?(" + key + ")$");
    }

    /** Compiles {@code whole}, of which {@code expression} is the part that was given. */
    private static Pattern compile(String field, String expression, String whole) {
        try {
            Pattern pattern = Pattern.compile(whole);
            // An unclosed quotation swallows what follows it.
            if (whole.endsWith(LAYER_NUMBER) && !pattern.namedGroups().containsKey(LAYER)) {
                throw new PatternSyntaxException("Unclosed quotation", expression, -1);
            }
            return pattern;
        } catch (PatternSyntaxException e) {
            throw new RankineException(
                    field + " '" + expression + "' is not a regular expression: " + e.getDescription(), e);
        }
    }
}
