package io.github.rankine.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.function.ToIntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FasterWayTest {
    private static final int TRIAL = 2000;

    private final FasterWay ways = new FasterWay(10);

    /** Makes calls, alternately large and small, and returns how many took the second way. */
    private int calls(int count, ToIntFunction<Boolean> nanosOfSecond) {
        int seconds = 0;
        for (int i = 0; i < count; i++) {
            boolean second = ways.second();
            seconds += second ? 1 : 0;
            long size = i % 2 == 0 ? 10 : 1000;
            ways.took(second, size, size * nanosOfSecond.applyAsInt(second));
        }
        return seconds;
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void bothAreTriedAndTheFasterOneIsTaken(boolean faster) {
        assertThat(calls(TRIAL, second -> second == faster ? 3 : 4)).isBetween(100, TRIAL - 100);
        assertThat(calls(1000, _ -> 1)).isEqualTo(faster ? 1000 : 0);
    }

    @Test
    void callsTooSmallSayNothing() {
        calls(TRIAL, second -> second ? 4 : 3);
        for (int i = 0; i < 1 << 16; i++) {
            ways.took(false, 9, 1000);
            ways.took(true, 9, 1);
        }
        assertThat(ways.second()).isFalse();
    }

    @Test
    void itChangesItsMindWhenTheMachineHasChanged() {
        calls(TRIAL, second -> second ? 4 : 3);
        assertThat(ways.second()).isFalse();
        calls(1 << 16, second -> second ? 3 : 4);
        assertThat(ways.second()).isTrue();
    }

    @Test
    void aFewSlowCallsDecideNothing() {
        int[] call = {0};
        calls(TRIAL, second -> second ? call[0]++ % 10 == 0 ? 1000 : 3 : 4);
        assertThat(ways.second()).isTrue();
    }
}
