package io.github.rankine.models.family;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraModule;
import io.github.rankine.engine.nn.Linear;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.safetensors.SafetensorsWriter.Content;
import io.github.rankine.models.safetensors.SafetensorsWriter.Entry;
import io.github.rankine.models.safetensors.StoredType;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Writes a checkpoint with an adapter added to its weights: one adapted matrix at a time, added up in float32 and rounded once. */
final class CheckpointMerge {
    private final CausalLanguageModel model;
    private final LoraAdapter adapter;
    private final Kernels kernels;
    private final Optional<DType> type;

    CheckpointMerge(CausalLanguageModel model, LoraAdapter adapter, Kernels kernels, Optional<DType> type) {
        this.model = model;
        this.adapter = adapter;
        this.kernels = kernels;
        this.type = type;
    }

    void write(Path folder) {
        CheckpointCopy.refuseUnlessEmpty(folder);
        Map<String, Entry> merged = new LinkedHashMap<>();
        for (Linear linear : model.decoder().linears()) {
            if (adapter.modules().containsKey(linear.name())) {
                // Not the weight's own name: a tied head's is the embedding, which must stay what it is.
                String name = linear.name() + ".weight";
                merged.put(name, merged(name, linear));
            }
        }
        new CheckpointCopy(model, type).write(folder, merged);
    }

    private Entry merged(String name, Linear linear) {
        LoraModule module = adapter.modules().get(linear.name());
        Weight base = linear.weight().value();
        DType stored = type.orElse(base.type());
        Content content = out -> {
            try (Arena arena = Arena.ofShared()) {
                Weight sum = module.mergeInto(kernels, base, linear.shape().transposed(), arena)
                        .asWeight();
                Content.of(sum, stored).writeTo(out);
            }
        };
        return new Entry(name, StoredType.of(stored), List.of(base.rows(), base.cols()), content);
    }
}
