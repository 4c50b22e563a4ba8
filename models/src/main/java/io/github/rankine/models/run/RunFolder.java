package io.github.rankine.models.run;

import io.github.rankine.engine.RankineException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/** The folder that a run writes, and what may be in it beforehand. */
public final class RunFolder {
    /** The log of metrics, made first. */
    public static final String METRICS = "metrics.jsonl";

    /** The state that a run goes on from. */
    public static final String STATE = "training_state.safetensors";

    /** The picture of the loss, for those who draw one. */
    public static final String LOSS_PICTURE = "loss.png";

    private static final String BEST = "best";

    /** What a run may have left that was killed before its first state was in place. */
    private static final Set<String> BEFORE_THE_STATE = Set.of(METRICS, STATE + ".tmp");

    private final Path path;

    public RunFolder(Path path) {
        this.path = path;
    }

    /** The folder, which is that of what was trained last too. */
    public Path path() {
        return path;
    }

    /** The folder of what had the lowest evaluation loss. */
    public Path best() {
        return path.resolve(BEST);
    }

    public Path metrics() {
        return path.resolve(METRICS);
    }

    public Path state() {
        return path.resolve(STATE);
    }

    public Path lossPicture() {
        return path.resolve(LOSS_PICTURE);
    }

    /** Whether there is a state, were it that of step 0. */
    public boolean hasState() {
        return Files.isRegularFile(state());
    }

    /**
     * Checks that a run may begin here at step 0.
     *
     * @throws RankineException when the folder holds something else, or a run with steps that would be lost
     */
    public void requireNew() {
        if (!hasState()) {
            refuseForeign();
            return;
        }
        try (TrainingState state = TrainingState.open(state())) {
            if (state.step() > 0) {
                throw new RankineException(path + ": holds a run saved at step " + state.step()
                        + ": --resume goes on with it, another --output starts a new one");
            }
        }
    }

    /** The same, and makes the folder. */
    void create() {
        requireNew();
        try {
            Files.createDirectories(path);
        } catch (IOException e) {
            throw new RankineException(
                    path + ": cannot be made (" + e.getClass().getSimpleName() + ": " + e.getMessage()
                            + "); choose another --output",
                    e);
        }
    }

    private void refuseForeign() {
        if (!Files.exists(path)) {
            return;
        }
        if (!Files.isDirectory(path)) {
            throw new RankineException(path + ": a file; --output names a folder");
        }
        try (Stream<Path> entries = Files.list(path)) {
            entries.map(entry -> entry.getFileName().toString())
                    .filter(name -> !BEFORE_THE_STATE.contains(name))
                    .sorted()
                    .findFirst()
                    .ifPresent(name -> {
                        throw new RankineException(path + ": holds something else, such as " + name
                                + ", and no run to resume; choose a new or empty folder as --output");
                    });
        } catch (IOException e) {
            throw new RankineException(path + ": cannot be read (" + e.getMessage() + "); choose another --output", e);
        }
    }

    /** Removes the trained files and the picture that a run left which was killed before it saved the state of any step. */
    void removeUnsaved(List<String> trained) {
        try {
            for (String file : trained) {
                Files.deleteIfExists(path.resolve(file));
                Files.deleteIfExists(best().resolve(file));
            }
            Files.deleteIfExists(lossPicture());
        } catch (IOException e) {
            throw new RankineException(path + ": what a killed run left cannot be removed (" + e.getMessage() + ")", e);
        }
    }
}
