package io.github.rankine.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The {@code rankine} command: fine-tunes transformer language models with LoRA on the JVM. */
@Command(
        name = "rankine",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        description = "Fine-tunes transformer language models with LoRA on the JVM.")
public final class Rankine {
    private static final String VECTOR_MODULE = "jdk.incubator.vector";

    private Rankine() {}

    /** Runs one command and exits with its code: 0 done, 2 wrong usage, 1 any other failure. */
    public static void main(String[] args) {
        // An incubator module cannot be asked for in a manifest: say so before any class that needs it is loaded.
        if (ModuleLayer.boot().findModule(VECTOR_MODULE).isEmpty()) {
            System.err.println("rankine: start Java with --add-modules " + VECTOR_MODULE + " (./rankine does)");
            System.exit(1);
        }
        System.exit(new CommandLine(new Rankine()).execute(args));
    }
}
