package io.github.rankine.cli;

import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code rankine inspect}. */
@Command(
        name = "inspect",
        description =
                "Shows what a checkpoint, a safetensors file or an adapter holds: tensors, shapes, types, parameters,"
                        + " bytes, and an adapter's configuration. Only headers are read.")
final class InspectCommand implements Runnable {
    private final Terminal terminal;

    @Parameters(paramLabel = "PATH", description = "Folder of a checkpoint or of an adapter, or one safetensors file.")
    private Path path;

    @Mixin
    private JsonOption json;

    InspectCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        Inspection inspection = Inspection.of(path);
        if (json.wanted()) {
            terminal.out().println(inspection.toJson());
        } else {
            terminal.out().print(inspection.toText());
        }
    }
}
