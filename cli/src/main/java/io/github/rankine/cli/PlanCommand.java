package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.BaseShape;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.prefix.Prefix;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.train.MemoryPlan;
import io.github.rankine.engine.train.Sample;
import io.github.rankine.engine.train.TrainingConfig;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.peft.PeftConfig;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.Function;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code rankine plan}. */
@Command(
        name = "plan",
        description = {
            "Tells what a fine-tuning would train and the memory it would take, from config.json alone.",
            "Takes finetune's command line. Activations are those of a full batch, --batch-size sequences of"
                    + " --max-length tokens, or with --data those of its largest batch."
        })
final class PlanCommand implements Runnable {
    /** Far above any batch that there is, and few enough to be counted in arrays. */
    private static final long MAX_TOKENS = 1 << 24;

    private final Terminal terminal;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--model",
            required = true,
            paramLabel = "DIR|FILE",
            description = "Folder of a checkpoint, or a config.json alone.")
    private Path model;

    @Option(
            names = "--data",
            paramLabel = "FILE",
            description = "Examples to plan for; text needs the tokenizer in the model's folder.")
    private Path file;

    @Option(names = "--full", description = "Plan for training the weights themselves, as finetune --full does.")
    private boolean full;

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
    private DataOptions data;

    @Option(
            names = ConfigFile.OPTION,
            paramLabel = "FILE.yaml",
            description = "File of finetune's options, as finetune takes it.")
    @SuppressWarnings("UnusedVariable") // ConfigFile looks for it before the command line is parsed.
    private Path configFile;

    /** finetune's other options, so that its command line can be planned as it is. They make no difference here. */
    @Option(
            names = {
                "--output",
                "--eval-data",
                "--save-every",
                "--threads",
                "--kernels",
                "--device",
                "--device-memory",
                "--dtype"
            },
            hidden = true)
    @SuppressWarnings("UnusedVariable")
    private List<String> ignored;

    @Option(names = "--resume", hidden = true)
    @SuppressWarnings("UnusedVariable")
    private boolean resume;

    @Mixin
    private JsonOption json;

    PlanCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        TrainingConfig wanted = training.config(data.maxLength());
        ModelConfig config = ModelConfig.read(model);
        if (config.quantization().isPresent() && (full || quantize.type().isPresent())) {
            throw new RankineException(model + ": its weights are quantised already, as "
                    + config.quantization().get() + ": leave out " + (full ? "--full" : "--quantize"));
        }
        if (full) {
            lora.refuseFor("--full");
            quantize.refuseFor("--full", spec);
            prefix.refuseTypeFor("--full");
        }
        try (CausalLanguageModel planned = full
                ? CausalLanguageModel.planned(config, DType.F32)
                : CausalLanguageModel.planned(config, quantize.type())) {
            Decoder decoder = planned.decoder();
            long base = elements(decoder.parameters());
            List<Parameter> trained = full ? lora.weights(decoder) : beside(decoder, config);
            trained.forEach(parameter -> parameter.train(Arena.global()));
            List<Sample> samples = file == null ? List.of() : samples(config);
            Function<TrainingConfig, MemoryPlan> plan = run -> file == null
                    ? MemoryPlan.of(decoder, trained, length(run, decoder), run)
                    : MemoryPlan.of(decoder, trained, samples, run);
            TrainingConfig run = memory.decide(wanted, plan);
            report(elements(trained), full ? base : base + elements(trained), plan.apply(run), run.recompute());
        }
    }

    /** The parameters of what is trained beside the base, which is active from here on. */
    private List<Parameter> beside(Decoder decoder, ModelConfig config) {
        List<Parameter> trained = new ArrayList<>();
        prefix.config(config).ifPresent(virtualTokens -> {
            Prefix planned = Prefix.planned(virtualTokens, decoder.layers(), decoder.keyWidth());
            decoder.usePrefix(planned);
            trained.addAll(planned.parameters());
        });
        if (prefix.trainsLora()) {
            trained.addAll(adapter(decoder));
        } else {
            lora.refuseFor("--peft-type prefix_tuning");
            lora.refuseTargets("--peft-type prefix_tuning");
        }
        return trained;
    }

    private List<Parameter> adapter(Decoder decoder) {
        BaseShape base = decoder.shape();
        LoraAdapter adapter = LoraAdapter.planned(loraConfig(base), base);
        decoder.activate(adapter);
        return adapter.parameters();
    }

    private LoraConfig loraConfig(BaseShape base) {
        return lora.initAdapter()
                .map(folder -> PeftConfig.read(folder.resolve(PeftConfig.FILE)).lora())
                .map(stored -> lora.config(stored, base))
                .orElseGet(() -> {
                    LoraConfig fresh = lora.config();
                    lora.convert(fresh);
                    LoraAdapter.requireTargets(fresh, base);
                    return fresh;
                });
    }

    private int length(TrainingConfig run, Decoder decoder) {
        int length =
                decoder.hasLearnedPositions() ? Math.min(run.maxLength(), decoder.maxPositions()) : run.maxLength();
        if ((long) run.batchSize() * length > MAX_TOKENS) {
            throw Usage.wrong(
                    spec,
                    "--batch-size " + run.batchSize() + " of --max-length " + length
                            + ": no machine holds such a batch; lower one of them");
        }
        return length;
    }

    private List<Sample> samples(ModelConfig config) {
        Path folder = Files.isDirectory(model) ? model : model.toAbsolutePath().getParent();
        return data.read(file, folder, config).samples();
    }

    private static long elements(Collection<Parameter> parameters) {
        return parameters.stream()
                .mapToLong(parameter -> parameter.value().size())
                .sum();
    }

    private void report(long trainable, long total, MemoryPlan plan, boolean recompute) {
        if (json.wanted()) {
            ObjectNode result = Json.mapper().createObjectNode();
            result.put("trainable_parameters", trainable);
            result.put("total_parameters", total);
            result.put("trainable_share", (double) trainable / total);
            MemoryReport.put(plan, result.putObject("memory_bytes"));
            result.put("recompute", recompute);
            result.put("memory_limit_bytes", memory.limit());
            result.put("machine_memory_bytes", MachineMemory.bytes());
            terminal.out().println(result);
            return;
        }
        terminal.out()
                .println("trains " + Figures.count(trainable) + " of " + Figures.count(total) + " parameters, "
                        + Figures.share(trainable, total) + " (" + Figures.exact(trainable) + " of "
                        + Figures.exact(total) + ")");
        terminal.out().println(MemoryReport.table(plan));
        if (recompute) {
            terminal.out().println("with each block computed again in the backward pass");
        }
        terminal.out().println((plan.total() > memory.limit() ? "does not fit: " : "") + memory.allowance());
    }
}
