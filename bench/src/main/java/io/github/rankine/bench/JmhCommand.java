package io.github.rankine.bench;

import java.io.IOException;
import java.util.List;
import org.openjdk.jmh.Main;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code bench/run jmh}: hands its arguments to JMH. */
@Command(
        name = "jmh",
        description = {
            "Runs JMH benchmarks; arguments are JMH's own, as in",
            "  bench/run jmh Products -p shape=576x576 -f 3        bench/run jmh -h        bench/run jmh -l"
        })
final class JmhCommand implements Runnable {
    @Parameters(arity = "0..*", paramLabel = "ARGUMENT", description = "JMH's arguments.")
    private List<String> arguments = List.of();

    @Override
    public void run() {
        try {
            Main.main(arguments.toArray(String[]::new));
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
