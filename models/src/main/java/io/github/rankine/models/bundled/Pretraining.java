package io.github.rankine.models.bundled;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.train.Sample;
import io.github.rankine.engine.train.Trainer;
import io.github.rankine.engine.train.TrainingConfig;
import io.github.rankine.engine.train.TrainingListener;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.files.AtomicFile;
import io.github.rankine.models.tokenizer.Tokenizer;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Makes the bundled model: a tokenizer learned from {@link PretrainingText}, and a Llama model of which every weight is
 * trained on it from random initialisation. It is one run over its text in order: first {@linkplain
 * PretrainingText#nextDrill() copying drill} alone, then documents with some drill left among them.
 *
 * <p>The same numbers come out again from the same kernels on vectors of the same width, whatever the number of threads.
 *
 * @param drillSteps steps of drill at the beginning
 * @param textSteps  steps of documents after it
 */
public record Pretraining(int drillSteps, int textSteps) {
    /** What the model that comes with Rankine was made by. */
    public static final Pretraining BUNDLED = new Pretraining(320, 2000);

    /** Of the text, of the weights' initialisation, and of nothing else: the order is that of the text. */
    private static final long SEED = 0;

    private static final long HELD_OUT_SEED = 1;
    private static final int HELD_OUT_DOCUMENTS = 300;

    /** One text in this many is drill, so that the model does not forget how to copy what it has never seen together. */
    private static final int DRILL_SHARE = 12;

    private static final int SEQUENCE = 136;
    private static final int BATCH = 8;
    private static final int STEP_TOKENS = 1024;

    /** Trains and writes the model's files into {@code folder}. */
    public void run(Path folder, Kernels kernels, TrainingListener listener) {
        AtomicFile.createFolder(folder);
        Map<String, String> files = BundledFiles.render(SEED);
        files.forEach((name, text) -> AtomicFile.writeText(folder.resolve(name), text));
        ModelConfig config = ModelConfig.read(folder);
        List<Sample> samples;
        List<Sample> heldOut;
        try (Tokenizer tokenizer = Tokenizer.open(folder, config.eosTokenIds())) {
            samples = samples(tokenizer);
            heldOut = heldOut(tokenizer);
        }
        try (Arena arena = Arena.ofShared();
                CausalLanguageModel model =
                        CausalLanguageModel.initialize(config, BundledFiles.INITIALIZER_RANGE, SEED, arena);
                Trainer trainer = new Trainer(
                        model.decoder(),
                        kernels,
                        List.copyOf(model.decoder().parameters()),
                        samples,
                        heldOut,
                        training())) {
            trainer.run(listener);
            model.save(folder, DType.BF16);
        }
    }

    private static TrainingConfig training() {
        return TrainingConfig.builder()
                .learningRate(2.5e-3)
                .warmup(50)
                .weightDecay(0.01)
                .batchSize(BATCH)
                .packing(true)
                .maxLength(SEQUENCE)
                .shuffle(false)
                .seed(SEED)
                .evalEvery(200)
                .build();
    }

    private List<Sample> samples(Tokenizer tokenizer) {
        PretrainingText text = new PretrainingText(SEED);
        List<Sample> samples = new ArrayList<>();
        long tokens = 0;
        while (tokens < (long) drillSteps * STEP_TOKENS) {
            samples.add(drill(text, tokenizer));
            tokens += samples.getLast().length();
        }
        long end = tokens + (long) textSteps * STEP_TOKENS;
        for (int count = 1; tokens < end; count++) {
            samples.add(count % DRILL_SHARE == 0 ? drill(text, tokenizer) : document(text, tokenizer));
            tokens += samples.getLast().length();
        }
        return samples;
    }

    private static List<Sample> heldOut(Tokenizer tokenizer) {
        PretrainingText text = new PretrainingText(HELD_OUT_SEED);
        List<Sample> samples = new ArrayList<>();
        for (int i = 0; i < HELD_OUT_DOCUMENTS; i++) {
            samples.add(document(text, tokenizer));
        }
        return samples;
    }

    private static Sample drill(PretrainingText text, Tokenizer tokenizer) {
        return Sample.of(tokenizer.encode(text.nextDrill(), false).ids());
    }

    private static Sample document(PretrainingText text, Tokenizer tokenizer) {
        int[] ids = tokenizer.encode(text.next(), false).ids();
        int[] ended = Arrays.copyOf(ids, ids.length + 1);
        ended[ids.length] = tokenizer.eosTokenId().orElseThrow();
        return Sample.of(ended);
    }
}
