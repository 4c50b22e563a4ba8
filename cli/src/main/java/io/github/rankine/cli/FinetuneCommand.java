package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.BaseShape;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.PrincipalComponents;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.prefix.Prefix;
import io.github.rankine.engine.prefix.PrefixConfig;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.train.MemoryPlan;
import io.github.rankine.engine.train.NonFiniteLossException;
import io.github.rankine.engine.train.Sample;
import io.github.rankine.engine.train.TrainingConfig;
import io.github.rankine.engine.train.TrainingListener;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.data.Dataset;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.peft.PeftAdapter;
import io.github.rankine.models.run.FineTune;
import io.github.rankine.models.run.MetricsEntry;
import io.github.rankine.models.run.MetricsLog;
import io.github.rankine.models.run.RunFolder;
import io.github.rankine.models.run.Trainee;
import io.github.rankine.models.run.TrainingData;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code rankine finetune}. */
@Command(
        name = "finetune",
        description = {
            "Trains a LoRA adapter for a model on a file of examples, or virtual tokens, or with --full all of the"
                    + " model's weights.",
            "The output folder gets the adapter in PEFT's format, with --full a checkpoint (the last one; the best by"
                    + " --eval-data in best/), metrics.jsonl, loss.png and the state that --resume goes on from.",
            "Ctrl-C finishes the step, saves and exits with 130."
        })
final class FinetuneCommand implements Callable<Integer> {
    private final Terminal terminal;
    private final Interruption interruption;

    @Spec
    private CommandSpec command;

    @Option(
            names = "--model",
            required = true,
            paramLabel = "DIR",
            description = "Folder of a Hugging Face checkpoint: config.json and safetensors.")
    private Path model;

    @Option(
            names = "--data",
            required = true,
            paramLabel = "FILE",
            description = "Examples, as JSON Lines or a JSON array: text, prompt and completion, messages, alpaca or"
                    + " ShareGPT records, or input_ids.")
    private Path data;

    @Option(names = "--output", required = true, paramLabel = "DIR", description = "Folder to write, new or empty.")
    private Path output;

    @Option(names = "--eval-data", paramLabel = "FILE", description = "Held-out examples to evaluate on.")
    private Path evalData;

    @Option(
            names = "--save-every",
            paramLabel = "N",
            description = "Steps between saves of adapter and state (default: every five minutes).")
    private Integer saveEvery;

    @Option(
            names = "--resume",
            description = "Go on with the run in the output folder, given the same options that it began with.")
    private boolean resume;

    @Option(
            names = "--full",
            description = "Train every weight, or with --target-modules those of these modules, and write a checkpoint"
                    + " with the base's tokenizer and other files: for models that fit, at sixteen bytes a parameter.")
    private boolean full;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            converter = MergeCommand.TypeName.class,
            description =
                    "What --full stores all weights as, trained or not: float32 (default; what is shorter rounds small"
                            + " updates away), bfloat16 or float16.")
    private DType type;

    @Option(
            names = ConfigFile.OPTION,
            paramLabel = "FILE.yaml",
            description =
                    "File of these options by their names without dashes, as in learning-rate: 1e-4; what is on the"
                            + " command line wins.")
    @SuppressWarnings("UnusedVariable") // ConfigFile looks for it before the command line is parsed.
    private Path configFile;

    @Mixin
    private QuantizeOption quantize;

    @Mixin
    private PrefixOptions prefix;

    @Mixin
    private LoraOptions lora;

    @Mixin
    private TrainingOptions training;

    @Mixin
    private MemoryOptions memory;

    @Mixin
    private DataOptions dataOptions;

    @Mixin
    private KernelOptions kernelOptions;

    @Mixin
    private JsonOption json;

    FinetuneCommand(Terminal terminal, Interruption interruption) {
        this.terminal = terminal;
        this.interruption = interruption;
    }

    @Override
    public Integer call() {
        TrainingConfig wanted = training.config(dataOptions.maxLength());
        requireSensible(wanted);
        memory.limit();
        RunFolder folder = new RunFolder(output);
        if (!resume) {
            folder.requireNew();
        }
        return full ? trainWeights(wanted, folder) : trainAdapter(wanted, folder);
    }

    private int trainAdapter(TrainingConfig wanted, RunFolder folder) {
        ModelConfig modelConfig = ModelConfig.read(model);
        Optional<PrefixConfig> virtualTokens = prefix.config(modelConfig);
        if (!prefix.trainsLora()) {
            lora.refuseFor("--peft-type prefix_tuning");
            lora.refuseTargets("--peft-type prefix_tuning");
        }
        LoraConfig fresh = lora.config();
        if (lora.initAdapter().isEmpty()) {
            lora.convert(fresh);
        }
        try (CausalLanguageModel base = CausalLanguageModel.open(model, quantize.type());
                Arena arena = Arena.ofShared();
                Kernels kernels = kernelOptions.open()) {
            BaseShape shape = base.decoder().shape();
            if (prefix.trainsLora() && lora.initAdapter().isEmpty()) {
                LoraAdapter.requireTargets(fresh, shape);
            }
            TrainingData samples = read(base.config());
            Optional<LoraConfig> adapted = prefix.trainsLora()
                    ? Optional.of(lora.initAdapter()
                            .map(initial -> storedConfig(initial, shape))
                            .orElse(fresh))
                    : Optional.empty();
            TrainingConfig config =
                    memory.decide(wanted, candidate -> FineTune.plan(base, adapted, virtualTokens, samples, candidate));
            adapted.ifPresent(wantedLora -> describe(base, wantedLora));
            requireMemory(FineTune.plan(base, adapted, virtualTokens, samples, config), config);
            Optional<Trainee.Adapter> adapter = adapted.map(wantedLora -> new Trainee.Adapter(
                    adapter(wantedLora, base.decoder(), config.seed(), arena), lora.convert(wantedLora)));
            Trainee trainee = virtualTokens
                    .<Trainee>map(wantedPrefix ->
                            prefixed(wantedPrefix, base.decoder(), config.seed(), adapter, kernels, arena))
                    .or(() -> adapter)
                    .orElseThrow();
            return train(base, kernels, trainee, samples, config, folder);
        }
    }

    private Trainee prefixed(
            PrefixConfig config,
            Decoder base,
            long seed,
            Optional<Trainee.Adapter> adapter,
            Kernels kernels,
            Arena arena) {
        Prefix virtualTokens = Prefix.initialize(config, base.layers(), base.keyWidth(), seed, arena);
        terminal.err()
                .println("prefix: " + Figures.count(elements(virtualTokens.parameters())) + " parameters for "
                        + config.virtualTokens() + " virtual tokens");
        return new Trainee.Prefixed(virtualTokens, config, adapter, kernels);
    }

    private int trainWeights(TrainingConfig wanted, RunFolder folder) {
        lora.refuseFor("--full");
        quantize.refuseFor("--full", command);
        prefix.refuseTypeFor("--full");
        ModelConfig modelConfig = ModelConfig.read(model);
        TrainingData samples = read(modelConfig);
        TrainingConfig config = memory.decide(
                wanted, candidate -> FineTune.planWeights(modelConfig, lora::weights, samples, candidate));
        requireMemory(FineTune.planWeights(modelConfig, lora::weights, samples, config), config);
        try (Arena arena = Arena.ofShared();
                CausalLanguageModel base = CausalLanguageModel.openForTraining(model, arena);
                Kernels kernels = kernelOptions.open()) {
            List<Parameter> trained = lora.weights(base.decoder());
            long count = elements(trained);
            long total = elements(base.decoder().parameters());
            terminal.err()
                    .println(
                            "trained in full: " + Figures.count(count) + " of " + Figures.count(total) + " parameters");
            Trainee trainee = new Trainee.Weights(lora.weightsInWords(), trained, type == null ? DType.F32 : type);
            return train(base, kernels, trainee, samples, config, folder);
        }
    }

    private void requireSensible(TrainingConfig config) {
        if (saveEvery != null && saveEvery < 1) {
            throw Usage.wrong(command, "--save-every " + saveEvery + ": must be at least 1");
        }
        if (config.evalEvery() > 0 && evalData == null) {
            throw Usage.wrong(command, "--eval-every needs --eval-data");
        }
        if (type != null && !full) {
            throw Usage.wrong(command, "--dtype is for --full: an adapter is stored in float32");
        }
    }

    private TrainingData read(ModelConfig config) {
        return new TrainingData(
                data.getFileName().toString(),
                read(data, config),
                evalData == null ? List.of() : read(evalData, config));
    }

    private List<Sample> read(Path file, ModelConfig config) {
        Dataset dataset = dataOptions.read(file, model, config);
        terminal.err().println(file + ": " + dataset.report().summary());
        return dataset.samples();
    }

    private LoraConfig storedConfig(Path folder, BaseShape base) {
        try (PeftAdapter stored = PeftAdapter.open(folder)) {
            return lora.config(stored.config().lora(), base);
        }
    }

    private LoraAdapter adapter(LoraConfig config, Decoder base, long seed, Arena arena) {
        PrincipalComponents components = new SvdComponents(kernelOptions, terminal);
        if (lora.initAdapter().isEmpty()) {
            return LoraAdapter.initialize(config, base.shape(), seed, arena, components);
        }
        Path folder = lora.initAdapter().get();
        try (PeftAdapter stored = PeftAdapter.open(folder)) {
            stored.requireBase(base);
            return LoraAdapter.of(config, base.shape(), stored.weights(), arena, components);
        } catch (RankineException e) {
            throw new RankineException("--init-adapter " + folder + ": " + e.getMessage(), e);
        }
    }

    private void describe(CausalLanguageModel base, LoraConfig lora) {
        BaseShape shape = base.decoder().shape();
        LoraAdapter planned = LoraAdapter.planned(lora, shape);
        long trainable = elements(planned.parameters());
        long total = trainable + elements(base.decoder().parameters());
        terminal.err()
                .println("adapter: " + Figures.count(trainable) + " of " + Figures.count(total) + " parameters ("
                        + Figures.share(trainable, total) + ") in "
                        + (planned.modules().size() + planned.embeddings().size()) + " modules"
                        + (planned.replaced().isEmpty()
                                ? ""
                                : " and " + planned.replaced().size() + " weights of the base"));
        List<String> oversized = LoraAdapter.oversized(lora, shape);
        if (!oversized.isEmpty()) {
            terminal.note("the rank is larger than a side of " + oversized.getFirst()
                    + (oversized.size() == 1 ? "" : " and " + (oversized.size() - 1) + " more modules")
                    + ": what exceeds it adds parameters and nothing else");
        }
    }

    /** Says what a run takes; one that cannot fit ends here. */
    private void requireMemory(MemoryPlan plan, TrainingConfig config) {
        terminal.err()
                .println("memory: " + MemoryReport.line(plan)
                        + (config.recompute() ? "; blocks are computed again in the backward pass" : ""));
        MemoryCheck.require(plan, memory, config.recompute());
    }

    private static long elements(Collection<Parameter> parameters) {
        return parameters.stream()
                .mapToLong(parameter -> parameter.value().size())
                .sum();
    }

    private int train(
            CausalLanguageModel base,
            Kernels kernels,
            Trainee trainee,
            TrainingData samples,
            TrainingConfig config,
            RunFolder folder) {
        try (FineTune run = resume
                ? FineTune.resume(base, kernels, trainee, samples, config, folder)
                : FineTune.start(base, kernels, trainee, samples, config, folder)) {
            return train(run, folder);
        }
    }

    private int train(FineTune run, RunFolder folder) {
        if (resume) {
            terminal.err().println(beginning(run));
        }
        if (!run.isFinished()) {
            interruption.handle(terminal.err(), "rankine: finishing this step, then saving");
            try (Progress progress = Progress.of(terminal, run.savedStep(), run.totalSteps())) {
                run.train(saveEvery == null ? 0 : saveEvery, listener(run, progress));
            } catch (NonFiniteLossException e) {
                terminal.note(output + " holds the " + trained() + " after step " + run.savedStep()
                        + "; begin again, in another --output, with a lower --learning-rate");
                throw e;
            } catch (RuntimeException | Error e) {
                if (run.savedStep() > 0) {
                    terminal.note(output + " is saved at step " + run.savedStep() + ": --resume goes on from there");
                }
                throw e;
            }
        }
        if (!run.isFinished()) {
            terminal.err()
                    .println("rankine: stopped and saved at step " + run.savedStep() + " of " + run.totalSteps()
                            + "; to go on, repeat the command with --resume");
            return Interruption.EXIT_CODE;
        }
        if (!Files.exists(folder.lossPicture())) {
            LossPicture.write(folder.lossPicture(), MetricsLog.read(folder.metrics()), terminal);
        }
        report(run);
        AdapterNotes.prefix(output, List.of(), terminal);
        return ExitCode.OK;
    }

    private String trained() {
        return full ? "checkpoint" : prefix.trainsLora() ? "adapter" : "prefix";
    }

    private String beginning(FineTune run) {
        if (run.isFinished()) {
            return output + ": finished already, all " + run.totalSteps() + " steps; nothing changed";
        }
        return run.savedStep() == 0
                ? output + ": nothing saved yet, starting from the beginning"
                : output + ": resuming after step " + run.savedStep() + " of " + run.totalSteps();
    }

    private TrainingListener listener(FineTune run, Progress progress) {
        return new TrainingListener() {
            @Override
            public void completed(int step) {
                progress.update(run.log().last().orElseThrow());
            }

            @Override
            public boolean stopRequested() {
                return interruption.requested();
            }
        };
    }

    private void report(FineTune run) {
        MetricsEntry last = run.log().last().orElseThrow();
        if (json.wanted()) {
            ObjectNode result = Json.mapper().createObjectNode();
            result.put("output", output.toString());
            result.put("steps", last.step());
            result.put("tokens", run.log().tokens());
            result.put("loss", last.loss());
            run.log().lastEvalLoss().ifPresent(loss -> result.put("eval_loss", loss));
            run.bestLoss().ifPresent(loss -> result.put("best_eval_loss", loss));
            terminal.out().println(result);
            return;
        }
        String evaluated = run.log().lastEvalLoss().isEmpty()
                ? ""
                : String.format(
                        Locale.ROOT,
                        ", eval loss %.4f (best %.4f in best/)",
                        run.log().lastEvalLoss().getAsDouble(),
                        run.bestLoss().orElseThrow());
        terminal.out()
                .println(String.format(
                        Locale.ROOT,
                        "%s: %s after %d steps and %s tokens, loss %.4f%s",
                        output,
                        trained(),
                        last.step(),
                        Figures.count(run.log().tokens()),
                        last.loss(),
                        evaluated));
    }
}
