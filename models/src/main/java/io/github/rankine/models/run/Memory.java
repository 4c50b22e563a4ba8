package io.github.rankine.models.run;

import com.sun.management.OperatingSystemMXBean;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.train.MemoryPlan;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.OptionalLong;

/** The memory of the machine and of this process. */
public final class Memory {
    private static final Path STATUS = Path.of("/proc/self/status");

    private Memory() {}

    /** Bytes of memory that the machine, or the container that this runs in, has. */
    public static long ofMachine() {
        return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
    }

    /** Bytes of this process in memory, mapped weights included, where the system tells (Linux). */
    static OptionalLong resident() {
        if (!Files.isReadable(STATUS)) {
            return OptionalLong.empty();
        }
        try {
            return Files.readAllLines(STATUS).stream()
                    .filter(line -> line.startsWith("VmRSS:"))
                    .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D", "")))
                    .findFirst();
        } catch (IOException _) {
            return OptionalLong.empty();
        }
    }

    /**
     * Refuses a run that does not fit the machine.
     *
     * @throws RankineException with the plan's figures and what to lower
     */
    public static void require(MemoryPlan plan, long available) {
        if (plan.total() > available) {
            throw new RankineException("the run needs " + size(plan.total()) + " of memory and the machine has "
                    + size(available) + " (weights " + size(plan.weights()) + ", adapter " + size(plan.adapter())
                    + ", optimizer " + size(plan.optimizer()) + ", activations " + size(plan.activations())
                    + ", logits " + size(plan.logits()) + "): " + remedy(plan));
        }
    }

    private static String remedy(MemoryPlan plan) {
        long batch = plan.activations() + plan.logits();
        long adapter = plan.adapter() + plan.optimizer();
        if (plan.weights() >= Math.max(batch, adapter)) {
            return "choose a smaller model";
        }
        return batch >= adapter ? "lower --batch-size or --max-length" : "lower --rank, or adapt fewer --target-modules";
    }

    private static String size(long bytes) {
        return bytes < 1L << 20
                ? String.format(Locale.ROOT, "%.1f KiB", bytes / 1024.0)
                : bytes < 1L << 30
                        ? String.format(Locale.ROOT, "%.1f MiB", bytes / (double) (1L << 20))
                        : String.format(Locale.ROOT, "%.1f GiB", bytes / (double) (1L << 30));
    }
}
