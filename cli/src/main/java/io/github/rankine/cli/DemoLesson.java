package io.github.rankine.cli;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.train.MemoryPlan;
import io.github.rankine.engine.train.TrainingConfig;
import io.github.rankine.engine.train.TrainingListener;
import io.github.rankine.models.bundled.DemoTask;
import io.github.rankine.models.data.DatasetOptions;
import io.github.rankine.models.data.DatasetReader;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.files.AtomicFile;
import io.github.rankine.models.run.FineTune;
import io.github.rankine.models.run.MetricsEntry;
import io.github.rankine.models.run.MetricsLog;
import io.github.rankine.models.run.RunFolder;
import io.github.rankine.models.run.Trainee;
import io.github.rankine.models.run.TrainingData;
import io.github.rankine.models.tokenizer.Tokenizer;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/** One of the demo's tasks: its examples, in files as a user would have them, and the fine-tune that learns it. */
final class DemoLesson {
    static final int STEPS = 600;
    static final int HELD_OUT = 100;

    private static final int BATCH = 8;
    private static final double LEARNING_RATE = 4e-3;
    private static final double WARMUP = 0.05;
    private static final int RANK = 16;
    private static final double ALPHA = 32;
    /** So small a model learns to copy at once or not at all, by the seed: this is one that does. */
    private static final long SEED = 5;

    private static final int MAX_LENGTH = 512;
    private static final long TRAINING_SEED = 1;
    private static final long HELD_OUT_SEED = 2;

    private final DemoTask task;
    private final Path folder;
    private final List<DemoTask.Example> heldOut;
    private final int steps;

    /** What a fine-tune came to. */
    record Outcome(LoraAdapter adapter, MemoryPlan plan, MetricsEntry last, long tokens, double seconds) {}

    /** Writes the task's examples into {@code folder}. */
    DemoLesson(DemoTask task, Path folder, int steps, int heldOutCount) {
        this.task = task;
        this.folder = folder;
        this.steps = steps;
        heldOut = task.heldOut(heldOutCount, HELD_OUT_SEED);
        write(trainingFile(), task.training(steps * BATCH, TRAINING_SEED));
        write(heldOutFile(), heldOut);
    }

    private static void write(Path file, List<DemoTask.Example> examples) {
        AtomicFile.writeText(
                file, examples.stream().map(example -> example.toJson() + "\n").collect(Collectors.joining()));
    }

    String name() {
        return task.id();
    }

    String description() {
        return task.description();
    }

    List<DemoTask.Example> heldOut() {
        return heldOut;
    }

    Path trainingFile() {
        return folder.resolve(name() + ".train.jsonl");
    }

    Path heldOutFile() {
        return folder.resolve(name() + ".heldout.jsonl");
    }

    /** The folder of the adapter. */
    Path adapterFolder() {
        return folder.resolve(name());
    }

    /** The options of {@code rankine finetune} that train the same adapter into another folder. */
    String finetuneOptions() {
        return "--learning-rate " + LEARNING_RATE + " --warmup " + WARMUP + " --steps " + steps + " --batch-size "
                + BATCH + " --rank " + RANK + " --alpha " + (int) ALPHA + " --seed " + SEED;
    }

    /** The training examples as the model is given them. */
    TrainingData data(CausalLanguageModel model, Tokenizer tokenizer) {
        DatasetOptions options =
                new DatasetOptions(MAX_LENGTH, false, model.config().vocabSize());
        return new TrainingData(
                trainingFile().getFileName().toString(),
                DatasetReader.read(trainingFile(), options, Optional.of(tokenizer), Optional.empty())
                        .samples(),
                List.of());
    }

    /** Trains an adapter over {@code model}, whose weights stay as they are; the adapter is left active. */
    Outcome learn(CausalLanguageModel model, Tokenizer tokenizer, Kernels kernels, Arena arena, Terminal terminal) {
        TrainingData data = data(model, tokenizer);
        LoraConfig lora = LoraConfig.of(RANK, ALPHA, new ModuleSelector.AllLinear());
        TrainingConfig config = TrainingConfig.builder()
                .learningRate(LEARNING_RATE)
                .warmup(WARMUP)
                .steps(steps)
                .batchSize(BATCH)
                .seed(SEED)
                .build();
        MemoryPlan plan = FineTune.plan(model, Optional.of(lora), Optional.empty(), data, config);
        LoraAdapter adapter = LoraAdapter.initialize(lora, model.decoder().shape(), config.seed(), arena);
        RunFolder run = new RunFolder(adapterFolder());
        long start = System.nanoTime();
        try (FineTune fineTune = FineTune.start(model, kernels, new Trainee.Adapter(adapter), data, config, run)) {
            try (Progress progress = Progress.of(terminal, 0, fineTune.totalSteps())) {
                fineTune.train(0, new TrainingListener() {
                    @Override
                    public void completed(int step) {
                        progress.update(fineTune.log().last().orElseThrow());
                    }
                });
            }
            double seconds = (System.nanoTime() - start) * 1e-9;
            LossPicture.write(run.lossPicture(), MetricsLog.read(run.metrics()), terminal);
            MetricsLog log = fineTune.log();
            return new Outcome(adapter, plan, log.last().orElseThrow(), log.tokens(), seconds);
        }
    }
}
