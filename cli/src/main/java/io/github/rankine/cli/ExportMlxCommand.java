package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.models.export.MlxAdapter;
import io.github.rankine.models.json.Json;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code rankine export mlx}. */
@Command(
        name = "mlx",
        description = {
            "Writes an adapter as a folder that mlx-lm takes: --adapter-path DIR.",
            "What mlx-lm has no way to say is written differently to the same effect, with a note, or refused."
        })
final class ExportMlxCommand implements Runnable {
    private final Terminal terminal;

    @Mixin
    private ExportSource source;

    @Option(names = "--output", required = true, paramLabel = "DIR", description = "New or empty folder to write.")
    private Path output;

    @Mixin
    private JsonOption json;

    ExportMlxCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        EmptyFolder.require(output, "--output");
        try (Arena arena = Arena.ofShared()) {
            MlxAdapter adapter = source.as(MlxAdapter::of, arena, terminal);
            adapter.write(output);
            note(adapter);
            report(adapter);
        }
    }

    private void note(MlxAdapter adapter) {
        String all = ExportSource.count(adapter.modules().size());
        if (!adapter.rescaled().isEmpty()) {
            terminal.note("lora_b of " + adapter.rescaled().size() + " of " + all
                    + " is multiplied to keep their scale, which is not the one scale (--json names them)");
        }
        if (!adapter.filledUp().isEmpty()) {
            terminal.note("matrices of " + adapter.filledUp().size() + " of " + all
                    + " are filled up with zeros to the one rank (--json names them)");
        }
    }

    private void report(MlxAdapter adapter) {
        if (json.wanted()) {
            ObjectNode result = Json.mapper().createObjectNode();
            result.put("output", output.toString());
            result.put("rank", adapter.rank());
            result.put("scale", adapter.scale());
            result.put("num_layers", adapter.lastLayers());
            result.put("modules", adapter.modules().size());
            adapter.rescaled().forEach(result.putArray("rescaled_modules")::add);
            adapter.filledUp().forEach(result.putArray("filled_up_modules")::add);
            terminal.out().println(result);
        } else {
            terminal.out()
                    .println(output + ": an adapter of "
                            + ExportSource.count(adapter.modules().size()) + ", rank "
                            + adapter.rank()
                            + ", scale " + (float) adapter.scale());
        }
    }
}
