package io.github.rankine.models.run;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.train.Trainer;
import io.github.rankine.models.safetensors.SafetensorsFile;
import io.github.rankine.models.safetensors.SafetensorsWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A run's resumable state in a safetensors file: the trained parameters and AdamW's two moments as tensors, and in the
 * metadata the step, the lowest evaluation loss and the run's settings. Order of the data, dropout and learning rate
 * follow from settings and step.
 */
final class TrainingState implements AutoCloseable {
    private static final String VERSION_KEY = "rankine_training_state";
    private static final String VERSION = "1";
    private static final String SETTING = "setting.";

    private final SafetensorsFile file;
    private final int step;
    private final double bestLoss;

    private TrainingState(SafetensorsFile file) {
        this.file = file;
        if (!VERSION.equals(file.metadata().get(VERSION_KEY))) {
            throw unusable("not a state that this version of Rankine saved");
        }
        try {
            step = Integer.parseInt(file.metadata().getOrDefault("step", ""));
            bestLoss = Double.parseDouble(file.metadata().getOrDefault("best_loss", ""));
        } catch (NumberFormatException _) {
            throw unusable("its step or its best_loss is missing or not a number");
        }
        if (step < 0) {
            throw unusable("its step is " + step);
        }
    }

    /**
     * Opens a saved state.
     *
     * @throws RankineException when there is none, or it is damaged
     */
    static TrainingState open(Path path) {
        SafetensorsFile file = SafetensorsFile.open(path);
        try {
            return new TrainingState(file);
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    /** Replaces the state in {@code path} by that of {@code trainer}. */
    static void save(Path path, Trainer trainer, Map<String, String> settings) {
        Map<String, String> metadata = new LinkedHashMap<>();
        metadata.put(VERSION_KEY, VERSION);
        metadata.put("step", Integer.toString(trainer.step()));
        metadata.put("best_loss", Double.toString(trainer.bestLoss()));
        settings.forEach((name, value) -> metadata.put(SETTING + name, value));
        List<SafetensorsWriter.Entry> entries = new ArrayList<>();
        trainer.state().forEach((name, tensor) -> entries.add(SafetensorsWriter.Entry.of(name, tensor)));
        SafetensorsWriter.write(path, metadata, entries);
    }

    /** Steps done. */
    int step() {
        return step;
    }

    /**
     * Checks that the run was saved under these settings.
     *
     * @throws RankineException that names the first one that differs
     */
    void requireSettings(Map<String, String> settings) {
        settings.forEach((name, value) -> {
            String saved = file.metadata().get(SETTING + name);
            if (!value.equals(saved)) {
                throw new RankineException(file.path() + ": " + Settings.difference(name, saved, value)
                        + "; resume with what the run began with, or start a new one in another --output");
            }
        });
    }

    /** Gives {@code trainer} the state of this file. */
    void restore(Trainer trainer) {
        if (step > trainer.totalSteps()) {
            throw unusable("its step is " + step + " of " + trainer.totalSteps());
        }
        trainer.state().forEach(this::restore);
        trainer.resumeAfter(step, bestLoss);
    }

    private void restore(String name, Tensor tensor) {
        DenseWeight saved = file.weight(name);
        if (saved.type() != DType.F32 || saved.rows() != tensor.rows() || saved.cols() != tensor.cols()) {
            throw unusable("tensor '" + name + "' is " + saved.type() + " [" + saved.rows() + ", " + saved.cols()
                    + "], the run has F32 [" + tensor.rows() + ", " + tensor.cols() + "]");
        }
        tensor.copyFrom(saved.asTensor());
    }

    private RankineException unusable(String reason) {
        return new RankineException(file.path() + ": " + reason + "; start a new run in another --output");
    }

    @Override
    public void close() {
        file.close();
    }
}
