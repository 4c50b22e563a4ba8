package io.github.rankine.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Option;

/** What whole runs compute with, and how they tell of it. */
final class RunOptions {
    @Option(names = "--threads", paramLabel = "N", description = "Threads (default: one per processor).")
    private int threads = Runtime.getRuntime().availableProcessors();

    @Option(names = "--kernels", paramLabel = "NAME", description = "Kernels (default: ${DEFAULT-VALUE}).")
    private String kernels = "vector";

    @Option(
            names = "--device",
            paramLabel = "B:D",
            description = "Device of --kernels tornado, as \"rankine devices\" numbers them (default: 0:0).")
    private String device;

    @Option(names = "--device-memory", paramLabel = "MIB", description = "Most that may be taken of its memory.")
    private Integer deviceMemory;

    @Option(names = "--json", description = "Tell the result as one JSON object.")
    private boolean json;

    @Option(names = "--by-kernel", description = "Tell each kernel's seconds too, products by their shapes.")
    private boolean byKernel;

    private final KernelTimes kernelTimes = new KernelTimes();

    /** The kernels asked for, to be closed. */
    Kernels open() {
        if (threads < 1) {
            throw new RankineException("--threads " + threads + ": must be at least 1");
        }
        if ((device != null || deviceMemory != null) && !kernels.equals("tornado")) {
            throw new RankineException("--device and --device-memory are for --kernels tornado: add it");
        }
        if (device != null) {
            System.setProperty("rankine.device", device);
        }
        if (deviceMemory != null) {
            System.setProperty("rankine.deviceMemory", deviceMemory.toString());
        }
        Kernels opened = KernelsLookup.named(kernels, threads);
        return byKernel ? kernelTimes.time(opened) : opened;
    }

    /** Says that the warm-up is over: what the kernels take counts from here on. */
    void warmedUp() {
        kernelTimes.reset();
    }

    /** Adds each kernel's seconds for each of {@code repetitions}, if they are wanted. */
    void putKernelTimes(ObjectNode result, int repetitions) {
        if (byKernel) {
            kernelTimes.put(result.putObject("kernel_seconds"), repetitions);
        }
    }

    int threads() {
        return threads;
    }

    /** Prints the result: as JSON, or a figure a line. */
    void print(ObjectNode result) {
        if (json) {
            System.out.println(result);
            return;
        }
        print(result, "");
    }

    private static void print(ObjectNode node, String prefix) {
        for (Map.Entry<String, JsonNode> field : node.properties()) {
            if (field.getValue() instanceof ObjectNode inner) {
                print(inner, prefix + field.getKey() + ".");
            } else {
                System.out.printf(Locale.ROOT, "%-32s %s%n", prefix + field.getKey(), text(field.getValue()));
            }
        }
    }

    private static String text(JsonNode value) {
        return value.isFloatingPointNumber() ? String.format(Locale.ROOT, "%.4g", value.asDouble()) : value.asText();
    }
}
