package io.github.rankine.models.run;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.prefix.Prefix;
import io.github.rankine.engine.prefix.PrefixConfig;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.train.Evaluation;
import io.github.rankine.engine.train.MemoryPlan;
import io.github.rankine.engine.train.NonFiniteLossException;
import io.github.rankine.engine.train.StepMetrics;
import io.github.rankine.engine.train.Trainer;
import io.github.rankine.engine.train.TrainingConfig;
import io.github.rankine.engine.train.TrainingListener;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.peft.ModelCard;
import io.github.rankine.models.safetensors.Checkpoint;
import io.github.rankine.models.safetensors.TensorInfo;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Function;

/**
 * A fine-tune that writes its folder as it goes and can be interrupted at any moment.
 *
 * <pre>{@code
 * try (FineTune run = FineTune.start(model, kernels, new Trainee.Adapter(adapter), data, config, new RunFolder(output))) {   // or resume
 *     run.train(0, listener);
 * }
 * }</pre>
 */
public final class FineTune implements AutoCloseable {
    /** Time between saves where no number of steps is asked for. */
    private static final Duration SAVE_INTERVAL = Duration.ofMinutes(5);

    private final RunFolder folder;
    private final CausalLanguageModel model;
    private final Trainee trainee;
    private final TrainingData data;
    private final Map<String, String> settings;
    private final MemoryPlan plan;
    private final Trainer trainer;
    private MetricsLog log;
    private int savedStep;
    private long savedAt = System.nanoTime();

    private FineTune(
            CausalLanguageModel model,
            Kernels kernels,
            Trainee trainee,
            TrainingData data,
            TrainingConfig config,
            RunFolder folder) {
        this.folder = folder;
        this.model = model;
        this.trainee = trainee;
        this.data = data;
        settings = Settings.of(model, trainee, data, config, kernels);
        plan = trainee.plan(model, data, config);
        trainee.activate(model.decoder());
        trainer =
                new Trainer(model.decoder(), kernels, trainee.parameters(), data.samples(), data.evalSamples(), config);
    }

    /** The memory that training an adapter, virtual tokens or both will take, before it takes any. */
    public static MemoryPlan plan(
            CausalLanguageModel model,
            Optional<LoraConfig> lora,
            Optional<PrefixConfig> virtualTokens,
            TrainingData data,
            TrainingConfig config) {
        Decoder decoder = model.decoder();
        List<Parameter> trained = new ArrayList<>();
        try {
            lora.ifPresent(wanted -> {
                LoraAdapter planned = LoraAdapter.planned(wanted, decoder.shape());
                trained.addAll(planned.parameters());
                decoder.activate(planned);
            });
            virtualTokens.ifPresent(wanted -> {
                Prefix planned = Prefix.planned(wanted, decoder.layers(), decoder.keyWidth());
                trained.addAll(planned.parameters());
                decoder.usePrefix(planned);
            });
            trained.forEach(parameter -> parameter.train(Arena.global()));
            return MemoryPlan.of(decoder, trained, data.samples(), config);
        } finally {
            decoder.activate();
            decoder.usePrefix(null);
        }
    }

    /**
     * The memory that training weights themselves will take.
     *
     * @param trained chooses them
     */
    public static MemoryPlan planWeights(
            ModelConfig model, Function<Decoder, List<Parameter>> trained, TrainingData data, TrainingConfig config) {
        try (CausalLanguageModel planned = CausalLanguageModel.planned(model, DType.F32)) {
            List<Parameter> parameters = trained.apply(planned.decoder());
            parameters.forEach(parameter -> parameter.train(Arena.global()));
            return MemoryPlan.of(planned.decoder(), parameters, data.samples(), config);
        }
    }

    /**
     * A run from the beginning.
     *
     * @param model   opened from a checkpoint, which stays as it is
     * @param trainee where it starts; it becomes the trained one, and an adapter stays active on the model's decoder
     * @throws io.github.rankine.engine.RankineException when the folder holds something else, or the data do not fit the model
     */
    public static FineTune start(
            CausalLanguageModel model,
            Kernels kernels,
            Trainee trainee,
            TrainingData data,
            TrainingConfig config,
            RunFolder folder) {
        FineTune run = new FineTune(model, kernels, trainee, data, config, folder);
        try {
            run.begin();
            return run;
        } catch (RuntimeException | Error e) {
            run.close();
            throw e;
        }
    }

    /**
     * A run that goes on from the state in the folder, or from the beginning when none was saved.
     *
     * @throws io.github.rankine.engine.RankineException when the saved run is another one than this, or its state is damaged
     */
    public static FineTune resume(
            CausalLanguageModel model,
            Kernels kernels,
            Trainee trainee,
            TrainingData data,
            TrainingConfig config,
            RunFolder folder) {
        if (!folder.hasState()) {
            return start(model, kernels, trainee, data, config, folder);
        }
        FineTune run = new FineTune(model, kernels, trainee, data, config, folder);
        try {
            run.restore();
            return run;
        } catch (RuntimeException | Error e) {
            run.close();
            throw e;
        }
    }

    private void begin() {
        folder.create();
        log = MetricsLog.continueAfter(folder.metrics(), 0);
        folder.removeUnsaved(trainee.files());
        TrainingState.save(folder.state(), trainer, settings);
    }

    private void restore() {
        try (TrainingState state = TrainingState.open(folder.state())) {
            state.requireSettings(settings);
            state.restore(trainer);
            savedStep = state.step();
        }
        log = MetricsLog.continueAfter(folder.metrics(), savedStep);
    }

    private Checkpoint checkpoint() {
        return model.checkpoint()
                .orElseThrow(() -> new IllegalArgumentException("the model is not mapped from a checkpoint"));
    }

    /** The step that was saved last; 0 before the first. */
    public int savedStep() {
        return savedStep;
    }

    public int totalSteps() {
        return trainer.totalSteps();
    }

    /** Whether all steps are done and saved. */
    public boolean isFinished() {
        return savedStep == trainer.totalSteps();
    }

    /** What is logged so far. */
    public MetricsLog log() {
        return log;
    }

    /** The lowest evaluation loss so far; empty before the first evaluation. */
    public OptionalDouble bestLoss() {
        return Double.isInfinite(trainer.bestLoss()) ? OptionalDouble.empty() : OptionalDouble.of(trainer.bestLoss());
    }

    /**
     * Takes the steps that are left. When the listener asks to stop, and when the loss is no longer a number, the state
     * after the last step is saved.
     *
     * @param saveEvery steps between saves; 0 saves every five minutes. The last step and an evaluation that is the
     *     best so far are always saved
     * @throws NonFiniteLossException when the loss or the gradient is no longer a number
     */
    public void train(int saveEvery, TrainingListener listener) {
        try {
            trainer.run(new Recorder(saveEvery, listener));
        } catch (NonFiniteLossException e) {
            save();
            throw e;
        }
    }

    private void save() {
        if (trainer.step() == savedStep) {
            return;
        }
        writeTrained(folder.path());
        log.force();
        TrainingState.save(folder.state(), trainer, settings);
        savedStep = trainer.step();
        savedAt = System.nanoTime();
    }

    private void writeTrained(Path path) {
        trainer.fetchParameters();
        MetricsEntry last = log.last().orElseThrow();
        ModelCard card = ModelCard.trained(
                checkpoint().tensors().stream().mapToLong(TensorInfo::elements).sum(),
                data.name(),
                last.step(),
                log.tokens(),
                last.loss(),
                log.lastEvalLoss());
        trainee.write(model, path, card);
    }

    /** Logs each step and saves where it is due. */
    private final class Recorder implements TrainingListener {
        private final int saveEvery;
        private final TrainingListener listener;
        private StepMetrics metrics;
        private OptionalDouble evalLoss;
        private boolean best;

        Recorder(int saveEvery, TrainingListener listener) {
            this.saveEvery = saveEvery;
            this.listener = listener;
        }

        @Override
        public void step(StepMetrics step) {
            metrics = step;
            evalLoss = OptionalDouble.empty();
            best = false;
            listener.step(step);
        }

        @Override
        public void evaluated(int step, Evaluation evaluation, boolean improved) {
            evalLoss = OptionalDouble.of(evaluation.loss());
            best = improved;
            listener.evaluated(step, evaluation, improved);
        }

        @Override
        public void completed(int step) {
            log.append(MetricsEntry.of(metrics, ProcessMemory.resident().orElse(plan.total()), evalLoss));
            if (best) {
                writeTrained(folder.best());
            }
            listener.completed(step);
            if (best || step == trainer.totalSteps() || isSaveDue(step)) {
                save();
            }
        }

        private boolean isSaveDue(int step) {
            return saveEvery > 0 ? step % saveEvery == 0 : System.nanoTime() - savedAt >= SAVE_INTERVAL.toNanos();
        }

        @Override
        public boolean stopRequested() {
            boolean stop = listener.stopRequested();
            if (stop) {
                save();
            }
            return stop;
        }
    }

    @Override
    public void close() {
        if (log != null) {
            log.close();
        }
        trainer.close();
    }
}
