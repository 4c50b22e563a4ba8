package io.github.rankine.cli;

import java.io.PrintStream;

/**
 * What a command writes to.
 *
 * @param out the result
 * @param err progress and notes
 */
record Terminal(Output out, PrintStream err) {
    /** Something that the user should know although the command goes on. */
    void note(String line) {
        err.println("rankine: note: " + line);
    }
}
