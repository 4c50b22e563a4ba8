package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.train.MemoryPlan;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/** A memory plan for people and for machines. */
final class MemoryReport {
    private MemoryReport() {}

    private static Map<String, Long> kinds(MemoryPlan plan) {
        Map<String, Long> kinds = new LinkedHashMap<>();
        kinds.put("weights", plan.weights());
        kinds.put("adapter", plan.adapter());
        kinds.put("optimizer", plan.optimizer());
        kinds.put("activations", plan.activations());
        kinds.put("logits", plan.logits());
        kinds.put("total", plan.total());
        return kinds;
    }

    /** In one line, as in {@code frozen weights 1.2 GiB, trained weights …}. */
    static String line(MemoryPlan plan) {
        return kinds(plan).entrySet().stream()
                .map(kind -> inFull(kind.getKey()) + " " + Figures.bytes(kind.getValue()))
                .collect(Collectors.joining(", "));
    }

    private static String inFull(String kind) {
        return switch (kind) {
            case "weights" -> "frozen weights";
            case "adapter" -> "trained weights";
            default -> kind;
        };
    }

    /** A kind per line. */
    static String table(MemoryPlan plan) {
        return kinds(plan).entrySet().stream()
                .map(kind -> String.format("%-15s %12s", inFull(kind.getKey()), Figures.bytes(kind.getValue())))
                .collect(Collectors.joining("\n"));
    }

    /** Adds the bytes of each kind to {@code node}. */
    static void put(MemoryPlan plan, ObjectNode node) {
        kinds(plan).forEach(node::put);
    }
}
