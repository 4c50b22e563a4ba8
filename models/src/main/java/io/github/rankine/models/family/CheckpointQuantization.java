package io.github.rankine.models.family;

import io.github.rankine.engine.nn.Linear;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.tensor.QuantizedWeight;
import io.github.rankine.models.quantized.BitsAndBytes;
import io.github.rankine.models.safetensors.Checkpoint;
import io.github.rankine.models.safetensors.SafetensorsWriter.Content;
import io.github.rankine.models.safetensors.SafetensorsWriter.Entry;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Writes a checkpoint with its linear layers, but for the head, as NF4 in bitsandbytes' layout. A file has its tensors in the order of
 * their types, so that the parts of a weight lie far apart: each weight is quantised twice, first for its scales, which are small and
 * kept, then for its codes as they are written. Never more than one weight is in memory.
 */
final class CheckpointQuantization {
    private final CausalLanguageModel model;
    private final LinearQuantizer quantizer;

    CheckpointQuantization(CausalLanguageModel model) {
        this.model = model;
        Checkpoint checkpoint = model.checkpoint().orElseThrow();
        TensorNames names = TensorNames.of(checkpoint, DecoderAssembler.prefix(model.config()));
        quantizer = new LinearQuantizer(checkpoint, names, QuantizedType.NF4);
    }

    void write(Path folder) {
        CheckpointCopy.refuseUnlessEmpty(folder);
        try (Arena scales = Arena.ofShared()) {
            Map<String, List<Entry>> quantized = new LinkedHashMap<>();
            for (Linear linear : model.decoder().linears()) {
                if (!linear.shape().head()) {
                    quantized.put(linear.weight().name(), entries(linear, scales));
                }
            }
            DType compute = model.config().dtype().orElse(DType.F32);
            new CheckpointCopy(model, Optional.empty())
                    .write(folder, quantized, Optional.of(BitsAndBytes.config(compute)));
        }
    }

    private List<Entry> entries(Linear linear, Arena scales) {
        QuantizedWeight kept;
        try (Arena codes = Arena.ofShared()) {
            kept = quantize(linear, codes, scales);
        }
        Content codes = out -> {
            try (Arena arena = Arena.ofShared()) {
                QuantizedWeight again = quantize(linear, arena, arena);
                Content.of(again.codes().asSlice(0, again.type().bytes(again.size())))
                        .writeTo(out);
            }
        };
        DType origin = ((DenseWeight) linear.weight().value()).type();
        return BitsAndBytes.entries(linear.weight().name(), kept, codes, origin);
    }

    private QuantizedWeight quantize(Linear linear, Arena codes, Arena scales) {
        long rows = linear.weight().value().rows();
        long cols = linear.weight().value().cols();
        return quantizer.quantize(
                linear.weight().name(), rows, cols, linear.shape().transposed(), codes, scales);
    }
}
