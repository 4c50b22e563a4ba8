package io.github.rankine.reference.combine;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.FloatRange;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class MagnitudesTest {
    @Property
    void keepsWhatSortingPutsFirst(
            @ForAll @Size(min = 1, max = 60) @FloatRange(min = -4, max = 4) float[] values,
            @ForAll @IntRange(max = 64) int count) {
        assertKept(values, count);
    }

    @Property
    void ofEqualOnesTheFirstAreKept(
            @ForAll @Size(min = 1, max = 40) @IntRange(min = -2, max = 2) int[] values,
            @ForAll @IntRange(max = 40) int count) {
        float[] floats = new float[values.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = values[i];
        }
        assertKept(floats, count);
    }

    @Test
    void neighboursAndExtremesAreToldApart() {
        float[] values = {
            1,
            Math.nextUp(1f),
            -Math.nextDown(1f),
            Float.MIN_VALUE,
            -Float.MAX_VALUE,
            0,
            -0f,
            Float.MIN_NORMAL,
            1 + 0x1p-9f
        };
        for (int count = 0; count <= values.length; count++) {
            assertKept(values, count);
        }
    }

    private static void assertKept(float[] values, int count) {
        float[] expected = new float[values.length];
        IntStream.range(0, values.length)
                .boxed()
                .sorted(Comparator.comparingDouble(i -> -Math.abs(values[i])))
                .limit(count)
                .forEach(i -> expected[i] = values[i]);
        try (Arena arena = Arena.ofConfined()) {
            Tensor matrix = Tensor.copyOf(arena, 1, values.length, Arrays.copyOf(values, values.length));
            Magnitudes.keepLargest(matrix, count);
            // A negative zero is nothing either.
            assertThat(matrix.toArray()).usingComparatorWithPrecision(0f).containsExactly(expected);
        }
    }
}
