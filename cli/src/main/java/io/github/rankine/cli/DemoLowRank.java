package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LinearShape;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.train.TrainingConfig;
import io.github.rankine.engine.train.TrainingListener;
import io.github.rankine.models.bundled.DemoTask;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.run.FineTune;
import io.github.rankine.models.run.RunFolder;
import io.github.rankine.models.run.Trainee;
import io.github.rankine.models.run.TrainingData;
import io.github.rankine.models.tokenizer.Tokenizer;
import io.github.rankine.reference.lowrank.Decomposition;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** {@code rankine demo --low-rank}: what the update of a full fine-tune loses when it is squeezed into a rank. */
final class DemoLowRank {
    private static final int[] RANKS = {1, 2, 4, 8, 16};
    static final int STEPS = 300;
    private static final double FULL_LEARNING_RATE = 1e-3;
    private static final double ADAPTER_LEARNING_RATE = 4e-3;
    private static final int TRAINED_RANK = 4;
    private static final double TRAINED_ALPHA = 32;
    private static final double WARMUP = 0.05;
    private static final int BATCH = 8;

    /** What the full fine-tune must get right, and what the highest rank must keep of it. */
    private static final double FULL_ABOVE = 0.9;

    private static final double KEPT_AT_LEAST = 0.8;

    private final Path folder;
    private final KernelOptions kernelOptions;
    private final Terminal terminal;
    private final DemoReport report;
    private final int steps;
    private final int heldOut;

    DemoLowRank(
            Path folder, KernelOptions kernelOptions, Terminal terminal, DemoReport report, int steps, int heldOut) {
        this.folder = folder;
        this.kernelOptions = kernelOptions;
        this.terminal = terminal;
        this.report = report;
        this.steps = steps;
        this.heldOut = heldOut;
    }

    void run() {
        long start = System.nanoTime();
        Path base = folder.resolve(DemoTour.MODEL);
        Path tuned = folder.resolve("full");
        DemoLesson lesson = new DemoLesson(DemoTask.RECORD, folder, steps, heldOut);
        try (Kernels kernels = kernelOptions.open();
                CausalLanguageModel model = CausalLanguageModel.open(base);
                Tokenizer tokenizer = Tokenizer.open(base, model.config().eosTokenIds())) {
            report.chapter("A full fine-tune");
            report.say("The bundled model learns to " + lesson.description()
                    + ": every weight of its linear layers is trained,");
            report.say("as a matrix of its own, without any low rank.");
            trainInFull(lesson, base, tuned, tokenizer, kernels);
            try (CausalLanguageModel changed = CausalLanguageModel.open(tuned)) {
                DemoExam.Answers before = new DemoExam(model.decoder(), tokenizer, kernels).take(lesson.heldOut());
                DemoExam.Answers full = new DemoExam(changed.decoder(), tokenizer, kernels).take(lesson.heldOut());
                report.say("Held-out examples right, letter for letter: " + before.score() + " before, " + full.score()
                        + " after.");
                report.require(
                        full.share() > FULL_ABOVE, "the full fine-tune answers " + full.score() + ", not over 90 %");
                squeeze(new TunedPair(model, base, changed, tuned), model, tokenizer, kernels, lesson, before, full);
            }
            trainAdapter(model, lesson, tokenizer, kernels);
        }
        report.say("");
        report.say("The figures of each layer, with a page of pictures:");
        report.say("    ./rankine svd --model " + base + " --tuned " + tuned + " --report " + folder.resolve("report"));
        report.say("The same for a model of yours, docs/low-rank.md tells how to read it:");
        report.say("    ./rankine finetune --full --model MODEL --data FILE --output TUNED");
        report.say("    ./rankine svd --model MODEL --tuned TUNED --report REPORT");
        report.say("    ./rankine extract --model MODEL --tuned TUNED --rank 8 --eval-data FILE --output ADAPTER");
        report.say(String.format(Locale.ROOT, "%nDone in %.0f seconds.", (System.nanoTime() - start) * 1e-9));
    }

    private void trainInFull(DemoLesson lesson, Path base, Path tuned, Tokenizer tokenizer, Kernels kernels) {
        try (Arena arena = Arena.ofShared();
                CausalLanguageModel model = CausalLanguageModel.openForTraining(base, arena)) {
            LoraConfig linear = LoraConfig.of(1, 1, new ModuleSelector.AllLinear());
            List<Parameter> weights = model.decoder().parameters(layer -> linear.targets(layer.name(), layer.head()));
            Trainee trainee = new Trainee.Weights("all-linear", weights, DType.F32);
            train(model, trainee, lesson.data(model, tokenizer), FULL_LEARNING_RATE, tuned, kernels);
        }
    }

    private void train(
            CausalLanguageModel model,
            Trainee trainee,
            TrainingData data,
            double learningRate,
            Path output,
            Kernels kernels) {
        TrainingConfig config = TrainingConfig.builder()
                .learningRate(learningRate)
                .warmup(WARMUP)
                .steps(steps)
                .batchSize(BATCH)
                .build();
        try (FineTune run = FineTune.start(model, kernels, trainee, data, config, new RunFolder(output));
                Progress progress = Progress.of(terminal, 0, run.totalSteps())) {
            run.train(0, new TrainingListener() {
                @Override
                public void completed(int step) {
                    progress.update(run.log().last().orElseThrow());
                }
            });
        }
    }

    /** The other way to a low rank: to look for it from the start. */
    private void trainAdapter(CausalLanguageModel model, DemoLesson lesson, Tokenizer tokenizer, Kernels kernels) {
        report.chapter("An adapter that is trained at rank " + TRAINED_RANK);
        LoraConfig lora = LoraConfig.of(TRAINED_RANK, TRAINED_ALPHA, new ModuleSelector.AllLinear());
        try (Arena arena = Arena.ofShared()) {
            LoraAdapter adapter = LoraAdapter.initialize(lora, model.decoder().shape(), 0, arena);
            train(
                    model,
                    new Trainee.Adapter(adapter),
                    lesson.data(model, tokenizer),
                    ADAPTER_LEARNING_RATE,
                    folder.resolve("lora"),
                    kernels);
            DemoExam.Answers answers = new DemoExam(model.decoder(), tokenizer, kernels).take(lesson.heldOut());
            model.decoder().activate();
            report.say(
                    "LoRA looks for few directions from the start: trained on the same examples for as many steps, an"
                            + " adapter of rank " + TRAINED_RANK);
            report.say("answers " + answers.score()
                    + " held-out examples right. Truncation gives one update of that rank, training a"
                    + " better one.");
            report.figures().put("trained_rank", TRAINED_RANK).put("trained_accuracy", answers.share());
            report.require(
                    answers.share() > FULL_ABOVE,
                    "the adapter of rank " + TRAINED_RANK + " answers " + answers.score() + ", not over 90 %");
        }
    }

    private void squeeze(
            TunedPair pair,
            CausalLanguageModel model,
            Tokenizer tokenizer,
            Kernels kernels,
            DemoLesson lesson,
            DemoExam.Answers before,
            DemoExam.Answers full) {
        report.chapter("Its update, squeezed");
        report.say("What changed in each layer is decomposed into its singular values; the adapter of rank r that is"
                + " nearest to it");
        report.say("holds the r largest. It is used like any other adapter, over the untouched base.");
        List<LinearShape> modules = pair.modules();
        List<Decomposition> found =
                ModuleWork.run(modules, kernelOptions, terminal, (module, own) -> pair.decompose(module, null, own));
        Map<String, Decomposition> updates = new LinkedHashMap<>();
        for (int i = 0; i < found.size(); i++) {
            updates.put(modules.get(i).name(), found.get(i));
        }
        Extraction extraction = new Extraction(updates);
        DemoExam exam = new DemoExam(model.decoder(), tokenizer, kernels);
        ArrayNode table = report.figures().putArray("ranks");
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("rank", "parameters", "energy kept", "held-out right"));
        rows.add(List.of("0 (the base)", "0", "0 %", before.score()));
        double share = 0;
        for (int rank : RANKS) {
            Map<String, Integer> ranks = extraction.ranks(rank);
            DemoExam.Answers answers;
            try (Arena arena = Arena.ofShared()) {
                model.decoder()
                        .activate(extraction.adapter(ranks, model.decoder().shape(), arena));
                answers = exam.take(lesson.heldOut());
                model.decoder().activate();
            }
            share = answers.share();
            rows.add(List.of(
                    Integer.toString(rank),
                    Figures.exact(extraction.parameters(ranks)),
                    UpdateReport.percent(extraction.energy(ranks)),
                    answers.score()));
            ObjectNode node = table.addObject().put("rank", rank);
            node.put("energy", extraction.energy(ranks)).put("accuracy", share);
        }
        long all = modules.stream()
                .mapToLong(module -> module.inputs() * module.outputs())
                .sum();
        rows.add(List.of("the fine-tune", Figures.exact(all), "100 %", full.score()));
        report.say("");
        Table.of(rows, 1).lines().forEach(report::say);
        report.say("");
        report.say(
                "An update that was learned without a low rank in mind spreads over many directions, yet a few of them"
                        + " do the task.");
        report.figures().put("base_accuracy", before.share()).put("full_accuracy", full.share());
        report.require(
                share >= KEPT_AT_LEAST * full.share(),
                "rank " + RANKS[RANKS.length - 1] + " keeps too little of what the fine-tune learned");
    }
}
