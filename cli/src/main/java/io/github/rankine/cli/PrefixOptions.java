package io.github.rankine.cli;

import io.github.rankine.engine.prefix.PrefixConfig;
import io.github.rankine.models.config.ModelConfig;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Whether an adapter, virtual tokens or both are trained, and what the virtual tokens are like. */
final class PrefixOptions {
    private static final int VIRTUAL_TOKENS = 20;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    /** PEFT's names. */
    private enum PeftType {
        lora,
        prefix_tuning
    }

    @Option(
            names = "--peft-type",
            paramLabel = "TYPES",
            split = ",",
            description =
                    "What is trained beside the frozen base: lora (default), prefix_tuning (virtual tokens' keys and"
                            + " values before every sequence), or both, as in lora,prefix_tuning.")
    private List<PeftType> types;

    @Option(
            names = "--num-virtual-tokens",
            paramLabel = "N",
            description = "Of a prefix: its length in tokens (default: " + VIRTUAL_TOKENS + ").")
    private Integer virtualTokens;

    @Option(
            names = "--prefix-projection",
            description = "Train a prefix through a perceptron, which steadies it and is not stored.")
    private boolean projection;

    @Option(
            names = "--encoder-hidden-size",
            paramLabel = "N",
            description = "Hidden features of that perceptron (default: those of a layer's keys).")
    private Integer hidden;

    boolean trainsLora() {
        return types == null || types.contains(PeftType.lora);
    }

    /** The virtual tokens, if there are any. */
    Optional<PrefixConfig> config(ModelConfig model) {
        if (types == null || !types.contains(PeftType.prefix_tuning)) {
            refuseFor("--peft-type lora");
            return Optional.empty();
        }
        if (hidden != null && !projection) {
            throw Usage.wrong(command, "--encoder-hidden-size needs --prefix-projection");
        }
        int width = hidden == null ? model.kvHeads() * model.headDim() : hidden;
        if (projection && width < 1) {
            throw Usage.wrong(command, "--encoder-hidden-size " + width + ": must be at least 1");
        }
        return Optional.of(Usage.of(
                command,
                () -> new PrefixConfig(
                        virtualTokens == null ? VIRTUAL_TOKENS : virtualTokens, projection ? width : 0)));
    }

    /** Refuses what was given of the prefix's options, for {@code option} trains none. */
    void refuseFor(String option) {
        Map<String, Object> given = new LinkedHashMap<>();
        given.put("--num-virtual-tokens", virtualTokens);
        given.put("--prefix-projection", projection ? true : null);
        given.put("--encoder-hidden-size", hidden);
        given.forEach((name, value) -> {
            if (value != null) {
                throw Usage.wrong(
                        command,
                        name + " is for --peft-type prefix_tuning, and " + option + " trains no prefix: leave one out");
            }
        });
    }

    /** Refuses the choice itself where weights are trained. */
    void refuseTypeFor(String option) {
        if (types != null) {
            throw Usage.wrong(
                    command,
                    "--peft-type is for what stands beside a frozen base, and " + option
                            + " trains the base itself: leave one out");
        }
        refuseFor(option);
    }
}
