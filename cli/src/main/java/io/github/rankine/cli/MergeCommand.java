package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.peft.PeftAdapter;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
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
            "The sums are made in float32 and rounded once. No tokenizer is needed.",
            "An adapter that was trained over a quantised base is added to the weights that this base stands for."
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

    @Option(
            names = "--quantize",
            paramLabel = "nf4|int8|none",
            description =
                    "Add the adapter to the weights as they are after quantisation, or with none as they are in the"
                            + " base (default: as in the adapter's training). The sum is stored unquantised.")
    private Quantize quantize;

    @Mixin
    private KernelOptions kernels;

    @Mixin
    private JsonOption json;

    MergeCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    private enum Quantize {
        nf4(Optional.of(QuantizedType.NF4)),
        int8(Optional.of(QuantizedType.INT8)),
        none(Optional.empty());

        private final Optional<QuantizedType> type;

        Quantize(Optional<QuantizedType> type) {
            this.type = type;
        }
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
        try (PeftAdapter stored = PeftAdapter.open(adapter);
                CausalLanguageModel base =
                        CausalLanguageModel.open(model, quantize == null ? trained(stored) : quantize.type);
                Kernels kernels = this.kernels.open();
                Arena arena = Arena.ofShared()) {
            LoraAdapter update = stored.load(base.decoder(), arena, new SvdComponents(this.kernels, terminal));
            base.quantization()
                    .map(QuantizeOption::name)
                    .ifPresent(name ->
                            terminal.note("merging into the weights that the base has in " + name + ", dequantised"
                                    + (quantize == null
                                                    && stored.config()
                                                            .baseQuantization()
                                                            .isPresent()
                                            ? ", which the adapter was trained over"
                                            : "")));
            AdapterNotes.prefix(adapter, List.of(), terminal);
            base.saveMerged(output, update, kernels, Optional.ofNullable(type));
            report(update.modules().size()
                    + update.embeddings().size()
                    + update.replaced().size());
        }
    }

    /** How the base was quantised when the adapter was trained, where its checkpoint is not. */
    private Optional<QuantizedType> trained(PeftAdapter stored) {
        return ModelConfig.read(model).quantization().isPresent()
                ? Optional.empty()
                : stored.config().baseQuantization();
    }

    private void report(int modules) {
        if (json.wanted()) {
            ObjectNode result = Json.mapper().createObjectNode();
            result.put("output", output.toString());
            result.put("merged_modules", modules);
            terminal.out().println(result);
        } else {
            terminal.out().println(output + ": a checkpoint with " + modules + " weights changed");
        }
    }
}
