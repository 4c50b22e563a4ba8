package io.github.rankine.cli;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What a command that computes takes: which kernels, on how many threads. */
final class KernelOptions {
    /** More than any machine's processors; starting many more takes minutes and gigabytes. */
    private static final int MAX_THREADS = 4096;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Threads to compute with (default: one per processor); results do not depend on it.")
    private Integer threads;

    @Option(
            names = "--kernels",
            paramLabel = "NAME",
            description =
                    "Kernels to compute with: vector, reference, or tornado for a GPU (default: the best on the CPU).")
    private String name;

    @Option(
            names = "--device",
            paramLabel = "B:D",
            description = "Device of --kernels tornado, as \"rankine devices\" numbers them (default: 0:0).")
    private String device;

    @Option(
            names = "--device-memory",
            paramLabel = "MIB",
            description = "Most that may be taken of its memory (default: all, of which a run takes what it needs).")
    private Integer deviceMemory;

    int threads() {
        int count = threads == null ? Runtime.getRuntime().availableProcessors() : threads;
        if (count < 1 || count > MAX_THREADS) {
            throw Usage.wrong(command, "--threads " + count + ": must be at least 1 and at most " + MAX_THREADS);
        }
        return count;
    }

    /** The kernels asked for, to be closed. */
    Kernels open() {
        return open(threads());
    }

    /** The same for one thread of several; where a device is asked for, the CPU's own, for threads do not share it. */
    Kernels openForOneThread() {
        return "tornado".equals(name) ? KernelsLookup.best(1) : open(1);
    }

    private Kernels open(int count) {
        useDevice();
        if (name != null
                && KernelsLookup.missing(name).isEmpty()
                && !KernelsLookup.names().contains(name)) {
            throw Usage.wrong(command, "--kernels " + name + ": there are " + String.join(", ", KernelsLookup.names()));
        }
        return name == null ? KernelsLookup.best(count) : KernelsLookup.named(name, count);
    }

    /** Tells the kernels for devices which is meant, and how much of it. */
    private void useDevice() {
        boolean given = device != null || deviceMemory != null;
        if (given && !"tornado".equals(name)) {
            throw Usage.wrong(command, "--device and --device-memory are for --kernels tornado: add it");
        }
        if (device != null) {
            System.setProperty("rankine.device", device);
        }
        if (deviceMemory != null) {
            System.setProperty("rankine.deviceMemory", deviceMemory.toString());
        }
    }
}
