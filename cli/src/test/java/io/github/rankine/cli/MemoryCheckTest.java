package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.train.MemoryPlan;
import io.github.rankine.engine.train.TrainingConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.ParameterException;

class MemoryCheckTest {
    private static final long GIB = 1L << 30;

    @Command
    static final class Holder {
        @Mixin
        MemoryOptions memory;
    }

    private static MemoryOptions options(String... arguments) {
        Holder holder = new Holder();
        new CommandLine(holder).setCaseInsensitiveEnumValuesAllowed(true).parseArgs(arguments);
        return holder.memory;
    }

    @Test
    void whatFitsPasses() {
        MemoryPlan plan = new MemoryPlan(4 * GIB, GIB, GIB, GIB, GIB);
        assertThatCode(() -> MemoryCheck.require(plan, options("--memory-limit", "8g"), false))
                .doesNotThrowAnyException();
    }

    @Test
    void theFiguresAndWhatToLowerAreNamed() {
        assertRefused(new MemoryPlan(4 * GIB, GIB, GIB, 8 * GIB, GIB), true, "lower --batch-size or --max-length");
        assertRefused(new MemoryPlan(4 * GIB, GIB, GIB, 8 * GIB, GIB), false, "leave out --recompute off");
        assertRefused(new MemoryPlan(4 * GIB, 5 * GIB, 5 * GIB, GIB, GIB), true, "lower --rank");
        assertRefused(new MemoryPlan(0, 5 * GIB, 5 * GIB, GIB, GIB), true, "leave out --full");
        assertRefused(new MemoryPlan(14 * GIB, GIB, GIB, GIB, GIB), true, "choose a smaller model");
    }

    private static void assertRefused(MemoryPlan plan, boolean recompute, String remedy) {
        assertThatThrownBy(() -> MemoryCheck.require(plan, options("--memory-limit", "8g"), recompute))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("--memory-limit allows 8.000 GiB")
                .hasMessageContaining(MemoryReport.line(plan))
                .hasMessageContaining(remedy);
    }

    @ParameterizedTest
    @CsvSource({"6g, 6442450944", "1500m, 1572864000", "1.5GiB, 1610612736", "2 tb, 2199023255552", "1000000, 1000000"})
    void sizesAreReadInTheirUnits(String text, long bytes) {
        assertThat(options("--memory-limit", text).limit()).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"much", "6x", "-1g", "0", "", "99999999999999t"})
    void whatIsNoSizeIsRefused(String text) {
        assertThatThrownBy(() -> options("--memory-limit", text).limit())
                .isInstanceOf(ParameterException.class)
                .hasMessageContaining("--memory-limit " + text);
    }

    @Test
    void blocksAreComputedAgainWhereTheRunWouldNotFitOtherwise() {
        TrainingConfig config = TrainingConfig.builder().build();
        MemoryPlan plan = new MemoryPlan(4 * GIB, GIB, GIB, GIB, GIB);
        assertThat(options("--memory-limit", "8g").decide(config, _ -> plan).recompute())
                .isFalse();
        assertThat(options("--memory-limit", "7g").decide(config, _ -> plan).recompute())
                .isTrue();
        assertThat(options("--memory-limit", "7g", "--recompute", "off")
                        .decide(config, _ -> plan)
                        .recompute())
                .isFalse();
        assertThat(options("--recompute", "on").decide(config, _ -> plan).recompute())
                .isTrue();
    }
}
