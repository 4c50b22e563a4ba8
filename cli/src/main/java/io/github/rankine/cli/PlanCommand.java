package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.lora.LinearShape;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.train.MemoryPlan;
import io.github.rankine.engine.train.TrainingConfig;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.peft.PeftConfig;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code rankine plan}. */
@Command(
        name = "plan",
        description = {
            "Tells what a fine-tuning would train and the memory it would take, from config.json alone.",
            "Takes finetune's options. Activations are those of a full batch: --batch-size sequences of --max-length"
                    + " tokens."
        })
final class PlanCommand implements Runnable {
    private final Terminal terminal;

    @Option(
            names = "--model",
            required = true,
            paramLabel = "DIR|FILE",
            description = "Folder of a checkpoint, or a config.json alone.")
    private Path model;

    @Mixin
    private LoraOptions lora;

    @Mixin
    private TrainingOptions training;

    @Mixin
    private DataOptions data;

    @Mixin
    private JsonOption json;

    PlanCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        TrainingConfig run = training.config(data.maxLength());
        try (CausalLanguageModel planned = CausalLanguageModel.planned(ModelConfig.read(model))) {
            Decoder decoder = planned.decoder();
            LoraAdapter adapter = adapter(decoder.linearShapes());
            long base = elements(decoder.parameters());
            long trainable = elements(adapter.parameters());
            decoder.activate(adapter);
            adapter.parameters().forEach(parameter -> parameter.train(Arena.global()));
            int length =
                    decoder.hasLearnedPositions() ? Math.min(run.maxLength(), decoder.maxPositions()) : run.maxLength();
            MemoryPlan plan = MemoryPlan.of(decoder, adapter.parameters(), run.batchSize(), length);
            report(trainable, base + trainable, plan);
        }
    }

    private LoraAdapter adapter(List<LinearShape> linears) {
        LoraConfig config = lora.initAdapter()
                .map(folder -> PeftConfig.read(folder.resolve(PeftConfig.FILE)).lora())
                .map(stored -> lora.config(stored, linears))
                .orElseGet(lora::config);
        return LoraAdapter.planned(config, linears);
    }

    private static long elements(Collection<Parameter> parameters) {
        return parameters.stream()
                .mapToLong(parameter -> parameter.value().size())
                .sum();
    }

    private void report(long trainable, long total, MemoryPlan plan) {
        if (json.wanted()) {
            ObjectNode result = Json.mapper().createObjectNode();
            result.put("trainable_parameters", trainable);
            result.put("total_parameters", total);
            result.put("trainable_share", (double) trainable / total);
            MemoryReport.put(plan, result.putObject("memory_bytes"));
            result.put("machine_memory_bytes", MachineMemory.bytes());
            terminal.out().println(result);
            return;
        }
        terminal.out()
                .println("trains " + Figures.count(trainable) + " of " + Figures.count(total) + " parameters, "
                        + Figures.share(trainable, total) + " (" + Figures.exact(trainable) + " of "
                        + Figures.exact(total) + ")");
        terminal.out().println(MemoryReport.table(plan));
        terminal.out().println("this machine has " + Figures.bytes(MachineMemory.bytes()));
    }
}
