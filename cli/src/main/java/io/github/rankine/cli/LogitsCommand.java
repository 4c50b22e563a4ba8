package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.generate.Logits;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.safetensors.SafetensorsWriter;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code rankine logits}. */
@Command(
        name = "logits",
        description = {
            "Writes a model's logits for a sequence of tokens, to compare with other implementations.",
            "The file holds one tensor, 'logits' [tokens, vocabulary], float32. No tokenizer is needed."
        })
final class LogitsCommand implements Runnable {
    private final Terminal terminal;

    @Mixin
    private ModelOptions model;

    @Option(
            names = "--tokens",
            required = true,
            split = ",",
            paramLabel = "ID",
            description = "Token ids, as in 1,2,3.")
    private List<Integer> tokens;

    @Option(names = "--output", required = true, paramLabel = "FILE", description = "Safetensors file to write.")
    private Path output;

    @Mixin
    private KernelOptions kernels;

    @Mixin
    private JsonOption json;

    LogitsCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        int[] ids = tokens.stream().mapToInt(Integer::intValue).toArray();
        try (Kernels kernels = this.kernels.open();
                LoadedModel loaded = model.load(this.kernels, terminal);
                Arena arena = Arena.ofShared()) {
            Tensor logits = Tensor.allocate(arena, ids.length, loaded.decoder().vocabularySize());
            Logits.of(loaded.decoder(), kernels, ids, logits);
            SafetensorsWriter.write(
                    output, Map.of("format", "pt"), List.of(SafetensorsWriter.Entry.of("logits", logits)));
            report(logits);
        }
    }

    private void report(Tensor logits) {
        if (json.wanted()) {
            ObjectNode result = Json.mapper().createObjectNode();
            result.put("output", output.toString());
            result.putArray("shape").add(logits.rows()).add(logits.cols());
            terminal.out().println(result);
        } else {
            terminal.out().println(output + ": logits [" + logits.rows() + ", " + logits.cols() + "]");
        }
    }
}
