package io.github.rankine.cli;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.train.MemoryPlan;

/** Refuses what the machine has no memory for, before it is taken. */
final class MemoryCheck {
    private MemoryCheck() {}

    /**
     * @param recompute whether the plan is already one with recomputation
     * @throws RankineException with the plan's figures and what to lower
     */
    static void require(MemoryPlan plan, MemoryOptions options, boolean recompute) {
        if (plan.total() > options.limit()) {
            throw new RankineException("the run needs " + Figures.bytes(plan.total()) + " of memory, "
                    + options.allowance() + " (" + MemoryReport.line(plan) + "): " + remedy(plan, recompute));
        }
    }

    private static String remedy(MemoryPlan plan, boolean recompute) {
        long batch = plan.activations() + plan.logits();
        long adapter = plan.adapter() + plan.optimizer();
        if (plan.weights() >= Math.max(batch, adapter)) {
            return "choose a smaller model";
        }
        if (batch >= adapter && !recompute) {
            return "leave out --recompute off, or lower --batch-size or --max-length";
        }
        if (batch >= adapter) {
            return "lower --batch-size or --max-length, and raise --gradient-accumulation instead";
        }
        return plan.weights() == 0
                ? "leave out --full, for an adapter takes a fraction of it, or name some --target-modules"
                : "lower --rank, or name fewer --target-modules";
    }
}
