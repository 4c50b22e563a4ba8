package io.github.rankine.cli;

import picocli.CommandLine.Option;

/** {@code --json}: the result for machines instead of people. */
final class JsonOption {
    @Option(names = "--json", description = "Print the result as JSON.")
    private boolean json;

    boolean wanted() {
        return json;
    }
}
