package io.github.rankine.engine.lora;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;

/**
 * The update of one linear layer: {@code ΔW = scaling · B · A}.
 *
 * @param a       {@code [r, in]}
 * @param b       {@code [out, r]}
 * @param scaling α/r, or α/√r with rsLoRA
 * @param dropout probability of dropping an element of the layer's input on its way to A, while training
 */
public record LoraModule(Parameter a, Parameter b, double scaling, double dropout) {

    /**
     * {@code W + ΔW} in float32, whatever {@code W} is stored as: a 16-bit sum would round small updates away.
     *
     * @param base       {@code [out, in]}, or {@code [in, out]} when {@code transposed}
     * @param transposed whether {@code base} is stored that way
     */
    public Tensor mergeInto(Kernels kernels, Weight base, boolean transposed, Arena arena) {
        Tensor merged = base.toTensor(arena);
        if (transposed) {
            try (Arena scratch = Arena.ofShared()) {
                Tensor bTransposed = b.value().transposed(scratch);
                kernels.matmulTN(a.value().toTensor(scratch), bTransposed, merged, (float) scaling, true);
            }
        } else {
            try (Arena scratch = Arena.ofShared()) {
                kernels.matmulNN(b.value().toTensor(scratch), a.value(), merged, (float) scaling, true);
            }
        }
        return merged;
    }
}
