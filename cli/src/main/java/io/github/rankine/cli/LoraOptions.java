package io.github.rankine.cli;

import io.github.rankine.engine.RankineException;
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
                        rslora != null && rslora));
    }

    /** The configuration of the adapter to go on with, which options must not contradict; dropout may change. */
    LoraConfig config(LoraConfig stored, List<LinearShape> linears) {
        refuse("--rank", rank, rank == null || rank == stored.rank(), stored.rank());
        refuse("--alpha", alpha, alpha == null || alpha == stored.alpha(), stored.alpha());
        refuse("--rslora", rslora, rslora == null || rslora == stored.rslora(), stored.rslora());
        refuse(
                "--rank-pattern",
                rankPattern,
                rankPattern == null || RankPattern.read(rankPattern).equals(stored.rankPattern()),
                stored.rankPattern());
        refuse(
                "--target-modules",
                targetModules,
                targetModules == null || selectsTheSame(config(), stored, linears),
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
        given.put("--rank-pattern", rankPattern);
        given.put("--init-adapter", initAdapter);
        given.forEach((name, value) -> {
            if (value != null) {
                throw Usage.wrong(command, name + " is for adapters, and " + option + " trains none: leave one out");
            }
        });
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
        LoraAdapter.requireTargets(config, decoder.linearShapes());
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
