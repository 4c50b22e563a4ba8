package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.safetensors.Checkpoint;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code rankine quantize}. */
@Command(
        name = "quantize",
        description = {
            "Writes a model's checkpoint with its linear layers in 4 bits: NF4 with double quantisation, in the layout"
                    + " of bitsandbytes.",
            "Norms, embeddings and the output head stay as they are. One weight at a time is in memory."
        })
final class QuantizeCommand implements Runnable {
    private final Terminal terminal;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--model",
            required = true,
            paramLabel = "DIR",
            description = "Folder of a Hugging Face checkpoint.")
    private Path model;

    @Option(names = "--type", required = true, paramLabel = "nf4", description = "How to store the weights.")
    private String type;

    @Option(names = "--output", required = true, paramLabel = "DIR", description = "New or empty folder to write.")
    private Path output;

    @Mixin
    private JsonOption json;

    QuantizeCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        if (!type.equals("nf4")) {
            throw Usage.wrong(
                    spec,
                    "--type " + type + ": checkpoints are stored as nf4"
                            + (type.equals("int8") ? "; int8 is made as a model is loaded, with --quantize int8" : ""));
        }
        EmptyFolder.require(output, "--output");
        try (CausalLanguageModel base = CausalLanguageModel.open(model)) {
            base.saveQuantized(output);
            long before = base.checkpoint().orElseThrow().bytes();
            try (Checkpoint written = Checkpoint.open(output)) {
                report(before, written.bytes());
            }
        }
    }

    private void report(long before, long after) {
        if (json.wanted()) {
            ObjectNode result = Json.mapper().createObjectNode();
            result.put("output", output.toString());
            result.put("bytes_before", before);
            result.put("bytes", after);
            terminal.out().println(result);
        } else {
            terminal.out()
                    .println(output + ": " + Figures.bytes(after) + " of weights instead of " + Figures.bytes(before));
        }
    }
}
