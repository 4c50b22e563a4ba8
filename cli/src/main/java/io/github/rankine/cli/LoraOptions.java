package io.github.rankine.cli;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.BaseShape;
import io.github.rankine.engine.lora.Initialization;
import io.github.rankine.engine.lora.LinearShape;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.tape.Parameter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The adapter that is trained. Options that were not given are null: they may come from another adapter instead. */
final class LoraOptions {
    private static final int RANK = 8;
    private static final double ALPHA = 16;
    private static final Pattern NAMES = Pattern.compile("[\\w.,-]+");

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Option(names = "--rank", paramLabel = "R", description = "Rank of the adapter's updates (default: " + RANK + ").")
    private Integer rank;

    @Option(names = "--alpha", paramLabel = "ALPHA", description = "Scales the updates by alpha / rank (default: 16).")
    private Double alpha;

    @Option(
            names = "--dropout",
            paramLabel = "P",
            description = "Probability of dropping an element of the adapter's input (default: 0).")
    private Double dropout;

    @Option(
            names = "--target-modules",
            paramLabel = "NAMES",
            description =
                    "Modules that get an adapter, or with --full are trained themselves: all-linear (default), names"
                            + " as in q_proj,v_proj, or a regular expression for the whole name.")
    private String targetModules;

    @Option(names = "--rslora", description = "Scale the updates by alpha / sqrt(rank) instead.", negatable = true)
    private Boolean rslora;

    @Option(
            names = "--dora",
            description = "Learn the lengths of the weights' rows apart from their directions (DoRA).",
            negatable = true)
    private Boolean dora;

    @Option(
            names = "--init-lora-weights",
            paramLabel = "NAME",
            description =
                    "What the matrices begin with: true (default; A random, B zero), pissa (the weights' principal"
                        + " parts, by an exact decomposition) or pissa_niter_N (by a fast one of N power iterations).")
    private String initialization;

    @Option(
            names = "--convert-to-lora",
            description =
                    "Store a PiSSA adapter as plain LoRA of twice the rank, which needs no decomposition where it is"
                            + " used.")
    private boolean convert;

    @Option(
            names = "--modules-to-save",
            paramLabel = "NAMES",
            split = ",",
            description = "Modules that are trained themselves and stored whole with the adapter, as in lm_head,norm.")
    private List<String> modulesToSave;

    @Option(
            names = "--bias",
            paramLabel = "none|lora_only|all",
            description = "Biases of the base that are trained too and stored with the adapter (default: none).")
    private LoraConfig.Bias bias;

    @Option(
            names = "--rank-pattern",
            paramLabel = "FILE",
            description = "Ranks of single modules, as 'rankine svd --rank-pattern' writes them: JSON with PEFT's"
                    + " rank_pattern. They win over --rank; alpha stays the same for all.")
    private Path rankPattern;

    @Option(
            names = "--init-adapter",
            paramLabel = "DIR",
            description = "Adapter to go on with; it brings its rank, alpha and target modules.")
    private Path initAdapter;

    Optional<Path> initAdapter() {
        return Optional.ofNullable(initAdapter);
    }

    /** A fresh adapter's configuration. */
    LoraConfig config() {
        return Usage.of(
                command,
                () -> new LoraConfig(
                        rank == null ? RANK : rank,
                        alpha == null ? ALPHA : alpha,
                        dropout == null ? 0 : dropout,
                        targetModules == null ? new ModuleSelector.AllLinear() : selector(targetModules),
                        null,
                        List.of(),
                        List.of(),
                        rankPattern == null ? Map.of() : RankPattern.read(rankPattern),
                        Map.of(),
                        rslora != null && rslora,
                        dora != null && dora,
                        initialization == null ? Initialization.DEFAULT : Initialization.named(initialization),
                        modulesToSave == null ? List.of() : modulesToSave,
                        bias == null ? LoraConfig.Bias.NONE : bias));
    }

    /** Whether the adapter is to be stored as plain LoRA. @throws ParameterException when it is that anyway */
    boolean convert(LoraConfig config) {
        if (convert && !config.initialization().isPissa()) {
            throw Usage.wrong(command, "--convert-to-lora is for --init-lora-weights pissa: leave one out");
        }
        return convert;
    }

    /** The configuration of the adapter to go on with, which options must not contradict; dropout may change. */
    LoraConfig config(LoraConfig stored, BaseShape base) {
        refuse("--rank", rank, rank == null || rank == stored.rank(), stored.rank());
        refuse("--alpha", alpha, alpha == null || alpha == stored.alpha(), stored.alpha());
        refuse("--rslora", rslora, rslora == null || rslora == stored.rslora(), stored.rslora());
        refuse("--dora", dora, dora == null || dora == stored.dora(), stored.dora());
        refuse(
                "--init-lora-weights",
                initialization,
                initialization == null
                        || initialization.equals(stored.initialization().name()),
                stored.initialization().name());
        refuse(
                "--modules-to-save",
                modulesToSave,
                modulesToSave == null || modulesToSave.equals(stored.modulesToSave()),
                stored.modulesToSave());
        refuse("--bias", bias, bias == null || bias == stored.bias(), stored.bias());
        refuse(
                "--rank-pattern",
                rankPattern,
                rankPattern == null || RankPattern.read(rankPattern).equals(stored.rankPattern()),
                stored.rankPattern());
        refuse(
                "--target-modules",
                targetModules,
                targetModules == null || selectsTheSame(config(), stored, base.linears()),
                stored.targetModules());
        return dropout == null ? stored : Usage.of(command, () -> stored.withDropout(dropout));
    }

    /** Refuses what was given of these options, for {@code option} trains no adapter. */
    void refuseFor(String option) {
        Map<String, Object> given = new LinkedHashMap<>();
        given.put("--rank", rank);
        given.put("--alpha", alpha);
        given.put("--dropout", dropout);
        given.put("--rslora", rslora);
        given.put("--dora", dora);
        given.put("--init-lora-weights", initialization);
        given.put("--convert-to-lora", convert ? true : null);
        given.put("--modules-to-save", modulesToSave);
        given.put("--bias", bias);
        given.put("--rank-pattern", rankPattern);
        given.put("--init-adapter", initAdapter);
        given.forEach((name, value) -> {
            if (value != null) {
                throw Usage.wrong(command, name + " is for adapters, and " + option + " trains none: leave one out");
            }
        });
    }

    /** Refuses target modules, too. */
    void refuseTargets(String option) {
        if (targetModules != null) {
            throw Usage.wrong(
                    command, "--target-modules is for adapters, and " + option + " trains none: leave one out");
        }
    }

    /**
     * The weights to train in full: all of them, or those of the target modules where they are given.
     *
     * @throws RankineException when no module is targeted
     */
    List<Parameter> weights(Decoder decoder) {
        if (targetModules == null) {
            return List.copyOf(decoder.parameters());
        }
        LoraConfig config = config();
        LoraAdapter.requireTargets(config, decoder.shape());
        List<Parameter> weights = decoder.parameters(linear -> config.targets(linear.name(), linear.head()));
        if (weights.isEmpty()) {
            throw new RankineException("--target-modules " + targetModules + ": matches nothing in this model");
        }
        return weights;
    }

    /** Which those are. */
    String weightsInWords() {
        return targetModules == null ? "all" : targetModules;
    }

    private void refuse(String option, Object given, boolean agrees, Object stored) {
        if (!agrees) {
            throw Usage.wrong(
                    command,
                    option + " " + given + " contradicts --init-adapter " + initAdapter + ", which has " + stored
                            + ": leave the option out, or begin a fresh adapter");
        }
    }

    private static boolean selectsTheSame(LoraConfig a, LoraConfig b, List<LinearShape> linears) {
        return linears.stream()
                .allMatch(linear -> a.targets(linear.name(), linear.head()) == b.targets(linear.name(), linear.head()));
    }

    private static ModuleSelector selector(String text) {
        if (text.equals("all-linear")) {
            return new ModuleSelector.AllLinear();
        }
        return NAMES.matcher(text).matches()
                ? new ModuleSelector.Suffixes(List.of(text.split(",")))
                : ModuleSelector.Expression.of(text);
    }
}
