package io.github.rankine.bench;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the system tells of this process. */
final class ThisProcess {
    private static final Path STATUS = Path.of("/proc/self/status");

    private ThisProcess() {}

    /** Seconds since Java started. */
    static double age() {
        return (System.currentTimeMillis()
                        - ManagementFactory.getRuntimeMXBean().getStartTime())
                * 1e-3;
    }

    /** The most bytes that were in memory at a time, mapped weights included; left out where the system does not tell. */
    static void putPeakMemory(ObjectNode result) {
        if (!Files.isReadable(STATUS)) {
            return;
        }
        try {
            Files.readAllLines(STATUS).stream()
                    .filter(line -> line.startsWith("VmHWM:"))
                    .findFirst()
                    .ifPresent(
                            line -> result.put("peak_memory_bytes", 1024 * Long.parseLong(line.replaceAll("\\D", ""))));
        } catch (IOException _) {
            // As where there is no such file.
        }
    }
}
