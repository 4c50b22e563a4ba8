package io.github.rankine.bench;

import io.github.rankine.engine.RankineException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The {@code bench/run} command. */
@Command(
        name = "bench/run",
        mixinStandardHelpOptions = true,
        description = "Measures Rankine: kernels, training steps, generation.",
        subcommands = {
            CheckpointCommand.class,
            StepCommand.class,
            GenerateCommand.class,
            ProductsCommand.class,
            JmhCommand.class
        })
public final class Bench implements Runnable {
    @Spec
    private CommandSpec spec;

    private Bench() {}

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "name a command");
    }

    public static void main(String... args) {
        System.exit(commandLine().execute(args));
    }

    /** Wrong usage exits with 2, any other failure with 1; what the user can mend is one line. */
    static CommandLine commandLine() {
        CommandLine commandLine = new CommandLine(new Bench()).setCaseInsensitiveEnumValuesAllowed(true);
        commandLine.getSubcommands().get("jmh").setUnmatchedOptionsArePositionalParams(true);
        return commandLine.setExecutionExceptionHandler((e, line, _) -> {
            if (!(e instanceof RankineException)) {
                throw e;
            }
            line.getErr().println("bench/run: " + e.getMessage());
            return CommandLine.ExitCode.SOFTWARE;
        });
    }
}
