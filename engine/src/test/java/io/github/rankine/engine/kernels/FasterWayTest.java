package io.github.rankine.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.function.IntUnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FasterWayTest {
    private static final int TRIAL = 2000;

    private final FasterWay ways = new FasterWay();

    /** Makes calls, alternately large and small, and returns how many took way 1. */
    private int calls(int count, IntUnaryOperator nanosOfWay) {
        int ones = 0;
        for (int i = 0; i < count; i++) {
            int way = ways.next();
            ones += way;
            long size = i % 2 == 0 ? 10 : 1000;
            ways.took(way, size, size * nanosOfWay.applyAsInt(way));
        }
        return ones;
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void bothAreTriedAndTheFasterOneIsTaken(int faster) {
        assertThat(calls(TRIAL, way -> way == faster ? 3 : 4)).isBetween(100, TRIAL - 100);
        assertThat(calls(1000, _ -> 1)).isEqualTo(faster * 1000);
    }

    @Test
    void itChangesItsMindWhenTheMachineHasChanged() {
        calls(TRIAL, way -> way == 0 ? 3 : 4);
        assertThat(ways.next()).isZero();
        calls(1 << 16, way -> way == 0 ? 4 : 3);
        assertThat(ways.next()).isOne();
    }

    @Test
    void aFewSlowCallsDecideNothing() {
        int[] call = {0};
        calls(TRIAL, way -> way == 1 ? call[0]++ % 10 == 0 ? 1000 : 3 : 4);
        assertThat(ways.next()).isOne();
    }
}
