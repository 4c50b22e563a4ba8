package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.models.export.GgufAdapter;
import io.github.rankine.models.json.Json;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code rankine export gguf-adapter}. */
@Command(
        name = "gguf-adapter",
        description = {
            "Writes an adapter as a GGUF file, which llama.cpp adds to a GGUF model of its base: --lora FILE.",
            "What llama.cpp has no way to say is written differently to the same effect, with a note, or refused."
        })
final class ExportGgufCommand implements Runnable {
    private final Terminal terminal;

    @Mixin
    private ExportSource source;

    @Option(names = "--output", required = true, paramLabel = "FILE", description = "The GGUF file to write.")
    private Path output;

    @Mixin
    private JsonOption json;

    ExportGgufCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        try (Arena arena = Arena.ofShared()) {
            GgufAdapter adapter = source.as(GgufAdapter::of, arena, terminal);
            adapter.write(output);
            note(adapter);
            report(adapter);
        }
    }

    private void note(GgufAdapter adapter) {
        if (adapter.rslora()) {
            terminal.note("llama.cpp has no rsLoRA: its alpha is alpha * sqrt(rank), " + adapter.alpha());
        }
        if (!adapter.rescaled().isEmpty()) {
            terminal.note("lora_b of " + adapter.rescaled().size() + " of "
                    + ExportSource.count(adapter.modules().size())
                    + " is multiplied to keep their scale, which the one alpha does not give (--json names them)");
        }
    }

    private void report(GgufAdapter adapter) {
        if (json.wanted()) {
            ObjectNode result = Json.mapper().createObjectNode();
            result.put("output", output.toString());
            result.put("architecture", adapter.architecture());
            result.put("alpha", adapter.alpha());
            result.put("modules", adapter.modules().size());
            adapter.rescaled().forEach(result.putArray("rescaled_modules")::add);
            terminal.out().println(result);
        } else {
            terminal.out()
                    .println(output + ": an adapter of "
                            + ExportSource.count(adapter.modules().size()) + " for " + adapter.architecture()
                            + " models, alpha " + adapter.alpha());
        }
    }
}
