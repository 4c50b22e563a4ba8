package io.github.rankine.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The {@code rankine} command: fine-tunes transformer language models with LoRA on the JVM. */
@Command(
        name = "rankine",
        mixinStandardHelpOptions = true,
        scope = ScopeType.INHERIT,
        versionProvider = Version.class,
        sortOptions = false,
        abbreviateSynopsis = true,
        synopsisSubcommandLabel = "COMMAND",
        description = "Fine-tunes transformer language models with LoRA on the JVM.")
public final class Rankine implements Runnable {
    private static final String VECTOR_MODULE = "jdk.incubator.vector";

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--debug",
            scope = ScopeType.INHERIT,
            description = "Show the log, and the stack trace of a failure.")
    private boolean debug;

    Rankine() {}

    /** Runs one command and exits with its code: 0 done, 2 wrong usage, 1 any other failure. */
    public static void main(String[] args) {
        PrintStream err = new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8);
        // An incubator module cannot be asked for in a manifest: say so before any class that needs it is loaded.
        if (ModuleLayer.boot().findModule(VECTOR_MODULE).isEmpty()) {
            err.println("rankine: start Java with --add-modules " + VECTOR_MODULE + " (./rankine does)");
            System.exit(1);
        }
        Output out = new Output(new FileOutputStream(FileDescriptor.out));
        System.exit(new CommandRunner(new Terminal(out, err, StandardError.isTerminal())).run(args));
    }

    /** Without a command there is nothing to do. */
    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "no command: one of " + String.join(", ", spec.subcommands().keySet()));
    }

    boolean debug() {
        return debug;
    }

    /** To be called before the first logger is made. */
    void applyDebug() {
        if (debug) {
            System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "debug");
        }
    }
}
