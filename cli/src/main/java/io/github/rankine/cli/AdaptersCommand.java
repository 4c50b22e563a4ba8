package io.github.rankine.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code rankine adapters}: what is done with several adapters. */
@Command(
        name = "adapters",
        description = "Works with several adapters: combine makes one of them, answer chooses one for each request.")
final class AdaptersCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    /** Without a command there is nothing to do. */
    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "no command: one of " + String.join(", ", spec.subcommands().keySet()));
    }
}
