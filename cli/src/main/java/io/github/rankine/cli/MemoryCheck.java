package io.github.rankine.cli;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.train.MemoryPlan;

/** Refuses what the machine has no memory for, before it is taken. */
final class MemoryCheck {
    private MemoryCheck() {}

    /** @throws RankineException with the plan's figures and what to lower */
    static void require(MemoryPlan plan, long available) {
        if (plan.total() > available) {
            throw new RankineException("the run needs " + Figures.bytes(plan.total()) + " of memory, the machine has "
                    + Figures.bytes(available) + " (" + MemoryReport.line(plan) + "): " + remedy(plan));
        }
    }

    private static String remedy(MemoryPlan plan) {
        long batch = plan.activations() + plan.logits();
        long adapter = plan.adapter() + plan.optimizer();
        if (plan.weights() >= Math.max(batch, adapter)) {
            return "choose a smaller model";
        }
        return batch >= adapter
                ? "lower --batch-size or --max-length, and raise --gradient-accumulation instead"
                : "lower --rank, or name fewer --target-modules";
    }
}
