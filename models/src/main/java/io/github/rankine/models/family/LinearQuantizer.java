package io.github.rankine.models.family;

import io.github.rankine.engine.quant.Quantization;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.tensor.QuantizedWeight;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.safetensors.Checkpoint;
import java.lang.foreign.Arena;

/**
 * Quantises linear layers of a checkpoint, one at a time: what was read of a matrix leaves memory again at once.
 *
 * @param checkpoint where they come from
 * @param names      the checkpoint's names for them
 * @param type       what they become
 */
record LinearQuantizer(Checkpoint checkpoint, TensorNames names, QuantizedType type) {
    /**
     * A layer's weight, {@code [out, in]}.
     *
     * @param name   the model's name for it
     * @param rows   that it has in the checkpoint
     * @param cols   that it has in the checkpoint
     * @param conv1d whether it lies there as {@code [in, out]}
     * @param codes  for the codes
     * @param scales for the scales
     */
    QuantizedWeight quantize(String name, long rows, long cols, boolean conv1d, Arena codes, Arena scales) {
        try (Arena mapping = Arena.ofShared()) {
            Weight weight = checkpoint.mapped(names.stored(name), rows, cols, mapping);
            if (conv1d) {
                weight = weight.transposed(mapping).asWeight();
            }
            return Quantization.quantize(name, weight, type, codes, scales);
        }
    }
}
