package io.github.rankine.bench;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.train.Sample;
import io.github.rankine.engine.train.StepMetrics;
import io.github.rankine.engine.train.Trainer;
import io.github.rankine.engine.train.TrainingConfig;
import io.github.rankine.engine.train.TrainingListener;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.json.Json;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code bench/run step}: training steps through the {@link Trainer} that {@code finetune} uses. */
@Command(
        name = "step",
        mixinStandardHelpOptions = true,
        description = {
            "Trains a LoRA adapter on random tokens, all of them learned, and tells the speed and the memory.",
            "The first steps, a third of all, warm the compiler up; figures are medians of the others."
        })
final class StepCommand implements Runnable {
    @Option(names = "--model", required = true, paramLabel = "DIR", description = "Folder of a checkpoint.")
    private Path model;

    @Option(names = "--batch", paramLabel = "N", description = "Sequences a step (default: ${DEFAULT-VALUE}).")
    private int batch = 4;

    @Option(names = "--length", paramLabel = "N", description = "Tokens a sequence (default: ${DEFAULT-VALUE}).")
    private int length = 256;

    @Option(names = "--rank", paramLabel = "R", description = "Of the adapter (default: ${DEFAULT-VALUE}).")
    private int rank = 8;

    @Option(
            names = "--target-modules",
            paramLabel = "NAMES",
            description = "all-linear, or names as in q_proj,v_proj (default: ${DEFAULT-VALUE}).")
    private String targetModules = "all-linear";

    @Option(names = "--steps", paramLabel = "N", description = "Steps, at least 2 (default: ${DEFAULT-VALUE}).")
    private int steps = 7;

    @Option(names = "--recompute", description = "Compute each block again in the backward pass: less memory.")
    private boolean recompute;

    @Option(
            names = "--quantize",
            paramLabel = "nf4|int8",
            description = "Quantise the frozen weights, as finetune does.")
    private QuantizedType quantize;

    @Option(names = "--full", description = "Train every weight, copied to float32, in place of an adapter.")
    private boolean full;

    @Mixin
    private RunOptions options;

    @Override
    public void run() {
        if (steps < 2) {
            throw new RankineException("--steps " + steps + ": must be at least 2, for the first is warm-up");
        }
        if (batch < 1) {
            throw new RankineException("--batch " + batch + ": must be at least 1");
        }
        if (length < 2) {
            throw new RankineException("--length " + length + ": must be at least 2 tokens");
        }
        if (full && quantize != null) {
            throw new RankineException("--quantize is for frozen weights, and --full trains them: leave one out");
        }
        try (Arena arena = Arena.ofShared();
                CausalLanguageModel base = full
                        ? CausalLanguageModel.openForTraining(model, arena)
                        : CausalLanguageModel.open(model, Optional.ofNullable(quantize));
                Kernels kernels = options.open()) {
            Decoder decoder = base.decoder();
            List<Parameter> trained = full ? List.copyOf(decoder.parameters()) : adapter(decoder, arena);
            TrainingConfig config = TrainingConfig.builder()
                    .steps(steps)
                    .batchSize(batch)
                    .maxLength(length)
                    .recompute(recompute)
                    .build();
            List<StepMetrics> metrics = new ArrayList<>();
            DeviceTraffic traffic = new DeviceTraffic();
            double started;
            try (Trainer trainer =
                    new Trainer(decoder, kernels, trained, samples(decoder.vocabularySize()), List.of(), config)) {
                started = ThisProcess.age();
                trainer.run(new TrainingListener() {
                    @Override
                    public void step(StepMetrics step) {
                        metrics.add(step);
                        if (metrics.size() == warmup()) {
                            options.warmedUp();
                            traffic.begin(kernels);
                        }
                        traffic.end(kernels);
                    }
                });
            }
            ObjectNode result = result(metrics, kernels, started);
            long bytes = trained.stream()
                    .mapToLong(parameter -> parameter.value().bytes())
                    .sum();
            traffic.put(result, steps - warmup(), bytes);
            options.print(result);
        }
    }

    private List<Parameter> adapter(Decoder decoder, Arena arena) {
        LoraConfig lora = LoraConfig.of(rank, 2.0 * rank, selector());
        LoraAdapter.requireTargets(lora, decoder.shape());
        LoraAdapter adapter = LoraAdapter.initialize(lora, decoder.shape(), 0, arena);
        decoder.activate(adapter);
        return adapter.parameters();
    }

    private ModuleSelector selector() {
        return targetModules.equals("all-linear")
                ? new ModuleSelector.AllLinear()
                : new ModuleSelector.Suffixes(List.of(targetModules.split(",")));
    }

    private List<Sample> samples(int vocabulary) {
        Random random = new Random(0);
        return Stream.generate(
                        () -> Sample.of(random.ints(length, 0, vocabulary).toArray()))
                .limit(batch)
                .toList();
    }

    private ObjectNode result(List<StepMetrics> metrics, Kernels kernels, double started) {
        List<StepMetrics> measured = metrics.subList(warmup(), steps);
        ObjectNode result = Json.mapper().createObjectNode();
        result.put("model", model.toString());
        result.put("kernels", kernels.name());
        result.put("threads", options.threads());
        result.put("tokens", (long) batch * length);
        result.put("tokens_per_second", median(measured, StepMetrics::tokensPerSecond));
        ObjectNode seconds = result.putObject("seconds");
        seconds.put("step", median(measured, step -> step.tokens() / step.tokensPerSecond()));
        seconds.put("forward", median(measured, step -> step.times().forward()));
        seconds.put("head", median(measured, step -> step.times().head()));
        seconds.put("backward", median(measured, step -> step.times().backward()));
        seconds.put("optimizer", median(measured, step -> step.times().optimizer()));
        seconds.put("to_first_step", started);
        options.putKernelTimes(result, steps - warmup());
        result.put("loss", metrics.getLast().loss());
        ThisProcess.putPeakMemory(result);
        return result;
    }

    private int warmup() {
        return Math.max(1, steps / 3);
    }

    private static double median(List<StepMetrics> metrics, ToDoubleFunction<StepMetrics> figure) {
        return Median.of(metrics.stream().mapToDouble(figure).toArray());
    }
}
