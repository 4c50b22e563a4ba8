package io.github.rankine.models.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalDouble;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MetricsLogTest {
    @TempDir
    Path folder;

    private Path file;

    @BeforeEach
    void place() {
        file = folder.resolve("metrics.jsonl");
    }

    @Test
    void aLineForEachStep() throws IOException {
        try (MetricsLog log = MetricsLog.continueAfter(file, 0)) {
            log.append(entry(1, OptionalDouble.empty()));
            log.append(entry(2, OptionalDouble.of(1.5)));
            assertThat(log.tokens()).isEqualTo(30);
            assertThat(log.last()).contains(entry(2, OptionalDouble.of(1.5)));
        }
        assertThat(file).hasContent("""
            {"step":1,"epoch":0.25,"loss":2.0,"grad_norm":0.5,"learning_rate":1.0E-4,"tokens":10,"tokens_per_second":99.5,"memory_bytes":5000000000}
            {"step":2,"epoch":0.5,"loss":1.0,"grad_norm":0.5,"learning_rate":1.0E-4,"tokens":20,"tokens_per_second":99.5,"memory_bytes":5000000000,"eval_loss":1.5}
            """);
        assertThat(MetricsLog.read(file))
                .containsExactly(entry(1, OptionalDouble.empty()), entry(2, OptionalDouble.of(1.5)));
    }

    @Test
    void whatCameAfterTheSavedStepIsCutOff() throws IOException {
        write(5);
        String four = Files.readString(file).lines().limit(4).reduce("", (a, b) -> a + b + "\n");
        try (MetricsLog log = MetricsLog.continueAfter(file, 4)) {
            assertThat(log.last()).contains(entry(4, OptionalDouble.empty()));
            assertThat(log.tokens()).isEqualTo(10 + 20 + 30 + 40);
            assertThat(file).hasContent(four);
            log.append(entry(5, OptionalDouble.of(0.25)));
            assertThat(log.lastEvalLoss()).hasValue(0.25);
        }
        assertThat(MetricsLog.read(file)).extracting(MetricsEntry::step).containsExactly(1, 2, 3, 4, 5);
    }

    @Test
    void aLineCutShortIsCutOff() throws IOException {
        write(3);
        String whole = Files.readString(file);
        for (int length = whole.indexOf("\n") + 1; length < whole.length(); length += 7) {
            Files.writeString(file, whole.substring(0, length));
            int lines = (int)
                    whole.substring(0, length).chars().filter(c -> c == '\n').count();
            try (MetricsLog log = MetricsLog.continueAfter(file, 3)) {
                log.append(entry(lines + 1, OptionalDouble.empty()));
            }
            assertThat(MetricsLog.read(file)).hasSize(lines + 1);
        }
    }

    @Test
    void twoRunsCannotShareAFolder() {
        try (MetricsLog log = MetricsLog.continueAfter(file, 0)) {
            log.append(entry(1, OptionalDouble.empty()));
            assertThatThrownBy(() -> MetricsLog.continueAfter(file, 0))
                    .isInstanceOf(RankineException.class)
                    .hasMessageStartingWith(file + ": another run is writing here");
            assertThat(MetricsLog.read(file)).hasSize(1);
        }
    }

    private void write(int steps) {
        try (MetricsLog log = MetricsLog.continueAfter(file, 0)) {
            for (int step = 1; step <= steps; step++) {
                log.append(entry(step, OptionalDouble.empty()));
            }
        }
    }

    private static MetricsEntry entry(int step, OptionalDouble evalLoss) {
        return new MetricsEntry(step, 0.25 * step, 2.0 / step, 0.5, 1e-4, 10L * step, 99.5, 5_000_000_000L, evalLoss);
    }
}
