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
            description = "Kernels to compute with: vector or reference (default: the best that can run here).")
    private String name;

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

    /** The same on another number of threads, where several are used side by side. */
    Kernels open(int count) {
        if (name != null && !KernelsLookup.names().contains(name)) {
            throw Usage.wrong(command, "--kernels " + name + ": there are " + String.join(", ", KernelsLookup.names()));
        }
        return name == null ? KernelsLookup.best(count) : KernelsLookup.named(name, count);
    }
}
