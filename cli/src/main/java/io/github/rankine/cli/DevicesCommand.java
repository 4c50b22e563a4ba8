package io.github.rankine.cli;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.KernelsLookup;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code rankine devices}: what {@code --kernels tornado} can run on. */
@Command(
        name = "devices",
        description =
                "Lists the devices of --kernels tornado: number, backend, name, compute units, memory, the largest"
                        + " array.")
final class DevicesCommand implements Runnable {
    @Spec
    private CommandSpec command;

    @Override
    public void run() {
        KernelsLookup.missing("tornado").ifPresent(remedy -> {
            throw new RankineException("no devices but the CPU: " + remedy);
        });
        List<String> devices = KernelsLookup.devices();
        if (devices.isEmpty()) {
            throw new RankineException(
                    "no devices but the CPU: TornadoVM is not running, or finds none; set TORNADOVM_HOME to its"
                            + " SDK and use ./rankine, and see that its tornado --devices lists one (docs/gpu.md)");
        }
        devices.forEach(command.commandLine().getOut()::println);
    }
}
