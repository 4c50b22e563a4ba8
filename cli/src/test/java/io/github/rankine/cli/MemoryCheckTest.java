package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.train.MemoryPlan;
import org.junit.jupiter.api.Test;

class MemoryCheckTest {
    private static final long GIB = 1L << 30;

    @Test
    void whatFitsPasses() {
        MemoryPlan plan = new MemoryPlan(4 * GIB, GIB, GIB, GIB, GIB);
        assertThatCode(() -> MemoryCheck.require(plan, 8 * GIB)).doesNotThrowAnyException();
    }

    @Test
    void theFiguresAndWhatToLowerAreNamed() {
        assertRefused(new MemoryPlan(4 * GIB, GIB, GIB, 8 * GIB, GIB), "lower --batch-size or --max-length");
        assertRefused(new MemoryPlan(4 * GIB, 5 * GIB, 5 * GIB, GIB, GIB), "lower --rank");
        assertRefused(new MemoryPlan(14 * GIB, GIB, GIB, GIB, GIB), "choose a smaller model");
    }

    private static void assertRefused(MemoryPlan plan, String remedy) {
        assertThatThrownBy(() -> MemoryCheck.require(plan, 8 * GIB))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("the machine has 8.000 GiB")
                .hasMessageContaining(MemoryReport.line(plan))
                .hasMessageContaining(remedy);
    }
}
