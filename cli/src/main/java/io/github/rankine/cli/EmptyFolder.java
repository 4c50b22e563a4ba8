package io.github.rankine.cli;

import io.github.rankine.engine.RankineException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** Folders that are written from nothing, so that nothing in them is lost. */
final class EmptyFolder {
    private EmptyFolder() {}

    /** Whether there is nothing at the place, or an empty folder. */
    static boolean is(Path folder) {
        if (!Files.exists(folder)) {
            return true;
        }
        if (!Files.isDirectory(folder)) {
            return false;
        }
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.findAny().isEmpty();
        } catch (IOException e) {
            throw new RankineException(folder + ": cannot be read (" + e.getMessage() + "); choose another folder", e);
        }
    }

    /**
     * The folder, if there is nothing in it.
     *
     * @param option what named it
     * @throws RankineException where there is something
     */
    static Path require(Path folder, String option) {
        if (Files.isRegularFile(folder)) {
            throw new RankineException(folder + ": a file; " + option + " names a folder");
        }
        if (!is(folder)) {
            throw new RankineException(folder + ": holds something already; choose a new or empty folder as " + option);
        }
        return folder;
    }
}
