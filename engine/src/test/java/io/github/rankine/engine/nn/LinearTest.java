package io.github.rankine.engine.nn;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.lora.PlainLora;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.TokenOperations;
import io.github.rankine.engine.tape.Variable;
import io.github.rankine.engine.tape.Workspace;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LinearTest {
    private final Random random = new Random(3);

    private Parameter parameter(Arena arena, int rows, int cols) {
        float[] values = new float[rows * cols];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return new Parameter("p", Tensor.copyOf(arena, rows, cols, values).asWeight());
    }

    /** A recomputed block runs once without and once with a tape that records. */
    @ParameterizedTest
    @ValueSource(ints = {1, 3, 4, 5, 40})
    void theSameBitsRecordedOrNot(int rows) {
        try (Arena arena = Arena.ofShared();
                Kernels kernels = KernelsLookup.best(1)) {
            Linear layer = new Linear("l", 0, parameter(arena, 48, 33), parameter(arena, 1, 48), false, false);
            layer.setAdapters(List.of(
                    ActiveModule.everywhere(new PlainLora(parameter(arena, 5, 33), parameter(arena, 48, 5), 0.7, 0))));
            Parameter x = parameter(arena, rows, 33);
            Workspace workspace = Workspace.empty(kernels);
            workspace.reserve(1 << 20);
            float[] recorded = apply(Tape.recording(kernels, workspace), x, layer);
            workspace.reset();
            assertThat(apply(Tape.withoutGradients(kernels, workspace), x, layer))
                    .isEqualTo(recorded);
        }
    }

    private static float[] apply(Tape tape, Parameter x, Linear layer) {
        Variable input = TokenOperations.parameter(tape, x);
        return Linear.apply(tape, input, layer, layer).getFirst().value().toArray();
    }
}
