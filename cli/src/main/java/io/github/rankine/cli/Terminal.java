package io.github.rankine.cli;

import java.io.PrintStream;

/**
 * What a command writes to.
 *
 * @param out         the result
 * @param err         progress and notes
 * @param interactive whether somebody watches {@code err}
 */
record Terminal(Output out, PrintStream err, boolean interactive) {
    /** Something that the user should know although the command goes on. */
    void note(String line) {
        err.println("rankine: note: " + line);
    }
}
