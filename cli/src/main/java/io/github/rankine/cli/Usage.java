package io.github.rankine.cli;

import io.github.rankine.engine.RankineException;
import java.util.function.Supplier;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** Wrong usage that only shows when options are put together. */
final class Usage {
    private Usage() {}

    /** To be thrown where the command line itself is at fault. */
    static ParameterException wrong(CommandSpec command, String message) {
        return new ParameterException(command.commandLine(), message);
    }

    /** What {@code maker} makes of options alone: a value that it refuses is wrong usage. */
    static <T> T of(CommandSpec command, Supplier<T> maker) {
        try {
            return maker.get();
        } catch (RankineException e) {
            throw new ParameterException(command.commandLine(), e.getMessage(), e);
        }
    }
}
