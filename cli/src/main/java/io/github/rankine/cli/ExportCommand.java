package io.github.rankine.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code rankine export}: one command for each format. */
@Command(
        name = "export",
        synopsisSubcommandLabel = "FORMAT",
        description = "Writes an adapter in another program's format.")
final class ExportCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    /** Without a format there is nothing to do. */
    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "no format: one of " + String.join(", ", spec.subcommands().keySet()));
    }
}
