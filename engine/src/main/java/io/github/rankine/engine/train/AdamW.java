package io.github.rankine.engine.train;

import io.github.rankine.engine.kernels.AdamWStep;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.ToDoubleFunction;

/** AdamW (Loshchilov and Hutter 2019) with clipping by global norm, over the trainable parameters. */
final class AdamW {
    private final Kernels kernels;
    private final List<Slot> slots = new ArrayList<>();

    /** What one parameter takes; {@code rate} is the factor of its learning rate. */
    private record Slot(Parameter parameter, double rate, Tensor firstMoment, Tensor secondMoment) {}

    AdamW(Kernels kernels, List<Parameter> parameters, ToDoubleFunction<Parameter> rates, Arena arena) {
        this.kernels = kernels;
        for (Parameter parameter : parameters) {
            long rows = parameter.value().rows();
            long cols = parameter.value().cols();
            slots.add(new Slot(
                    parameter,
                    rates.applyAsDouble(parameter),
                    Tensor.allocate(arena, rows, cols),
                    Tensor.allocate(arena, rows, cols)));
        }
    }

    void zeroGradients() {
        kernels.mark();
        slots.forEach(slot -> kernels.clear(slot.parameter().gradient()));
    }

    /** L2 norm of all gradients together. */
    double gradientNorm() {
        return Math.sqrt(kernels.sumOfSquares(
                slots.stream().map(slot -> slot.parameter().gradient()).toList()));
    }

    /** The factor that clips a gradient of that norm as PyTorch's {@code clip_grad_norm_} does. */
    static double clipFactor(double norm, double maxNorm) {
        return maxNorm == 0 ? 1 : Math.min(1, maxNorm / (norm + 1e-6));
    }

    /** @param step number of this step, from 1 */
    void step(int step, double learningRate, double weightDecay, double gradientScale) {
        kernels.mark();
        for (Slot slot : slots) {
            kernels.adamW(
                    slot.parameter().value().asTensor(),
                    slot.parameter().gradient(),
                    slot.firstMoment(),
                    slot.secondMoment(),
                    new AdamWStep(
                            step,
                            learningRate * slot.rate(),
                            TrainingConfig.BETA1,
                            TrainingConfig.BETA2,
                            TrainingConfig.EPSILON,
                            weightDecay,
                            gradientScale));
        }
    }

    /** Everything that a later step depends on, by name. */
    SequencedMap<String, Tensor> state() {
        SequencedMap<String, Tensor> state = new LinkedHashMap<>();
        for (Slot slot : slots) {
            String name = slot.parameter().name();
            state.put(name, slot.parameter().value().asTensor());
            state.put(name + ".first_moment", slot.firstMoment());
            state.put(name + ".second_moment", slot.secondMoment());
        }
        return state;
    }
}
