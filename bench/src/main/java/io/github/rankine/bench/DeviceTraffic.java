package io.github.rankine.bench;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.kernels.Kernels;
import java.util.Map;

/** What kernels on a device launched and moved in the steady state. */
final class DeviceTraffic {
    private Map<String, Long> before = Map.of();
    private Map<String, Long> after = Map.of();

    /** The warm-up is over. */
    void begin(Kernels kernels) {
        before = kernels.counters();
    }

    /** A step is over. */
    void end(Kernels kernels) {
        after = kernels.counters();
    }

    /** Adds what each of {@code steps} took, and what is trained, in bytes, to compare it with; nothing for kernels that count nothing. */
    void put(ObjectNode result, int steps, long trainedBytes) {
        if (after.isEmpty()) {
            return;
        }
        ObjectNode node = result.putObject("per_step");
        after.forEach((name, count) -> node.put(name, (count - before.getOrDefault(name, 0L)) / (double) steps));
        node.put("trained_bytes", trainedBytes);
    }
}
