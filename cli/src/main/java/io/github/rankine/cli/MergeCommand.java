package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.peft.PeftAdapter;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** {@code rankine merge}. */
@Command(
        name = "merge",
        description = {
            "Adds an adapter to a model's weights and writes the sum as a checkpoint of its own, with the base's"
                    + " configuration and tokenizer.",
            "The sums are made in float32 and rounded once. No tokenizer is needed."
        })
final class MergeCommand implements Runnable {
    private final Terminal terminal;

    @Option(
            names = "--model",
            required = true,
            paramLabel = "DIR",
            description = "Folder of the Hugging Face checkpoint that the adapter was trained over.")
    private Path model;

    @Option(names = "--adapter", required = true, paramLabel = "DIR", description = "Folder of a PEFT LoRA adapter.")
    private Path adapter;

    @Option(names = "--output", required = true, paramLabel = "DIR", description = "New or empty folder to write.")
    private Path output;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            converter = TypeName.class,
            description = "Store all weights as float32, bfloat16 or float16 (default: as the base does).")
    private DType type;

    @Mixin
    private KernelOptions kernels;

    @Mixin
    private JsonOption json;

    MergeCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    /** The names that config.json has for the types. */
    static final class TypeName implements ITypeConverter<DType> {
        @Override
        public DType convert(String name) {
            return switch (name) {
                case "float32" -> DType.F32;
                case "bfloat16" -> DType.BF16;
                case "float16" -> DType.F16;
                default -> throw new TypeConversionException("'" + name + "' is not one of float32, bfloat16, float16");
            };
        }
    }

    @Override
    public void run() {
        try (CausalLanguageModel base = CausalLanguageModel.open(model);
                Kernels kernels = this.kernels.open();
                PeftAdapter stored = PeftAdapter.open(adapter);
                Arena arena = Arena.ofShared()) {
            LoraAdapter update = stored.load(base.decoder(), arena);
            base.saveMerged(output, update, kernels, Optional.ofNullable(type));
            report(update.modules().size());
        }
    }

    private void report(int modules) {
        if (json.wanted()) {
            ObjectNode result = Json.mapper().createObjectNode();
            result.put("output", output.toString());
            result.put("merged_modules", modules);
            terminal.out().println(result);
        } else {
            terminal.out().println(output + ": a checkpoint with " + modules + " layers changed");
        }
    }
}
