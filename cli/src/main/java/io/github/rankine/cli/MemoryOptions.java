package io.github.rankine.cli;

import io.github.rankine.engine.train.MemoryPlan;
import io.github.rankine.engine.train.TrainingConfig;
import java.math.BigDecimal;
import java.util.Locale;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The memory that a training run may take, and what it does to take less. */
final class MemoryOptions {
    private static final Pattern SIZE = Pattern.compile("(\\d+(?:\\.\\d+)?)\\s*([kmgt]?)(?:i?b)?");
    private static final String UNITS = "kmgt";

    /** When blocks are computed again in the backward pass. */
    enum Recompute {
        OFF,
        ON,
        AUTO;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Option(
            names = "--recompute",
            paramLabel = "WHEN",
            description =
                    "Compute each block again in the backward pass instead of keeping its activations, for less memory"
                            + " and a third more time: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}, if the run"
                            + " needs it to fit).")
    private Recompute recompute = Recompute.AUTO;

    @Option(
            names = "--memory-limit",
            paramLabel = "SIZE",
            description = "Memory that the run may plan with, as in 6g or 1500m (default: the machine's).")
    private String limit;

    /** The configuration with recomputation as asked for; {@code plan} is asked only where that depends on it. */
    TrainingConfig decide(TrainingConfig config, Function<TrainingConfig, MemoryPlan> plan) {
        boolean wanted = switch (recompute) {
            case OFF -> false;
            case ON -> true;
            case AUTO -> plan.apply(config).total() > limit();
        };
        return config.withRecompute(wanted);
    }

    /** In bytes. */
    long limit() {
        if (limit == null) {
            return MachineMemory.bytes();
        }
        Matcher matcher = SIZE.matcher(limit.strip().toLowerCase(Locale.ROOT));
        if (!matcher.matches()) {
            throw Usage.wrong(command, "--memory-limit " + limit + ": must be a size as in 6g or 1500m");
        }
        int unit = matcher.group(2).isEmpty() ? 0 : UNITS.indexOf(matcher.group(2)) + 1;
        BigDecimal bytes = new BigDecimal(matcher.group(1))
                .multiply(BigDecimal.valueOf(1024).pow(unit));
        if (bytes.signum() == 0 || bytes.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) > 0) {
            throw Usage.wrong(command, "--memory-limit " + limit + ": no machine has that");
        }
        return bytes.longValue();
    }

    /** What is allowed, and by whom, for a message. */
    String allowance() {
        return (limit == null ? "the machine has " : "--memory-limit allows ") + Figures.bytes(limit());
    }
}
