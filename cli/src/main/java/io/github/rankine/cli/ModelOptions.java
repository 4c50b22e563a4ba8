package io.github.rankine.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The model that a command works with, and the adapters on it. */
final class ModelOptions {
    @Option(
            names = "--model",
            required = true,
            paramLabel = "DIR",
            description = "Folder of a Hugging Face checkpoint: config.json and safetensors.")
    private Path model;

    @Option(
            names = "--adapter",
            paramLabel = "DIR",
            description = "Folder of a PEFT adapter: LoRA, of which several are added up, or a prefix.")
    private List<Path> adapters = new ArrayList<>();

    @Mixin
    private QuantizeOption quantize;

    Path folder() {
        return model;
    }

    LoadedModel load(KernelOptions kernels, Terminal terminal) {
        return LoadedModel.open(model, quantize.type(), adapters, new SvdComponents(kernels, terminal), terminal);
    }
}
