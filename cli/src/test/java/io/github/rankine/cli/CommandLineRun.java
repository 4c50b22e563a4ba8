package io.github.rankine.cli;

import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * A command line run in this JVM.
 *
 * @param exitCode what the process would have exited with
 * @param out      its standard output
 * @param err      its standard error
 */
record CommandLineRun(int exitCode, String out, String err) {
    static CommandLineRun of(Object... args) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        CommandLineRun run = into(out, args);
        return new CommandLineRun(run.exitCode, out.toString(StandardCharsets.UTF_8), run.err);
    }

    /** The same with standard output going to {@code out}. */
    static CommandLineRun into(OutputStream out, Object... args) {
        String[] words = new String[args.length];
        for (int i = 0; i < args.length; i++) {
            words[i] = args[i].toString();
        }
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int exitCode;
        try (PrintStream errStream = new PrintStream(err, true, StandardCharsets.UTF_8)) {
            exitCode = new CommandRunner(new Terminal(new Output(out), errStream, false)).run(words);
        }
        return new CommandLineRun(exitCode, "", err.toString(StandardCharsets.UTF_8));
    }
}
