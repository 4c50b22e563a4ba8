package io.github.rankine.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Expected values are those of Transformers' get_…_schedule_with_warmup for the same steps. */
class ScheduleTest {
    @ParameterizedTest
    @CsvSource({
        "LINEAR, 0, 0, 10, 1.0", "LINEAR, 9, 0, 10, 0.1",
        "LINEAR, 0, 4, 10, 0.0", "LINEAR, 3, 4, 10, 0.75",
        "LINEAR, 4, 4, 10, 1.0", "LINEAR, 7, 4, 10, 0.5",
        "COSINE, 0, 0, 10, 1.0", "COSINE, 5, 0, 10, 0.5",
        "COSINE, 9, 0, 10, 0.024471741852423234", "COSINE, 1, 2, 10, 0.5",
        "CONSTANT, 0, 0, 10, 1.0", "CONSTANT, 9, 2, 10, 1.0",
        "CONSTANT, 1, 2, 10, 0.5",
    })
    void factor(Schedule schedule, int done, int warmup, int total, double expected) {
        assertThat(schedule.factor(done, warmup, total)).isCloseTo(expected, within(1e-12));
    }

    @Test
    void warmupIsStepsOrAShareBelowOne() {
        assertThat(TrainingConfig.builder().warmup(0.03).build().warmupSteps(101))
                .isEqualTo(4);
        assertThat(TrainingConfig.builder().warmup(7).build().warmupSteps(101)).isEqualTo(7);
        assertThat(TrainingConfig.builder().build().warmupSteps(101)).isZero();
    }
}
