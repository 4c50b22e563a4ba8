package io.github.rankine.models.family;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraEmbedding;
import io.github.rankine.engine.lora.LoraModule;
import io.github.rankine.engine.nn.Linear;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.QuantizedWeight;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.config.Family;
import io.github.rankine.models.safetensors.SafetensorsWriter.Content;
import io.github.rankine.models.safetensors.SafetensorsWriter.Entry;
import io.github.rankine.models.safetensors.StoredType;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Writes a checkpoint with an adapter added to its weights: one adapted matrix at a time, added up in float32 and rounded once. What is
 * quantised becomes the numbers that it stands for.
 */
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
        Map<String, List<Entry>> merged = new LinkedHashMap<>();
        for (Linear linear : model.decoder().linears()) {
            boolean adapted = adapter.modules().containsKey(linear.name());
            if (adapted || linear.weight().value() instanceof QuantizedWeight) {
                // Not the weight's own name: a tied head's is the embedding, which must stay what it is.
                String name = linear.name() + ".weight";
                merged.put(name, List.of(merged(name, linear)));
            }
        }
        adapter.embeddings().forEach((module, embedding) -> {
            String name = module + ".weight";
            merged.put(name, List.of(embedding(name, embedding)));
        });
        adapter.replaced().forEach((name, parameter) -> merged.put(name, List.of(replaced(name, parameter.value()))));
        keepTiedHead(merged);
        new CheckpointCopy(model, type).write(folder, merged, Optional.empty());
    }

    private Entry embedding(String name, LoraEmbedding embedding) {
        Weight base = base(name);
        DType stored = stored(base);
        Content content = out -> {
            try (Arena arena = Arena.ofShared()) {
                Weight sum = embedding.mergeInto(kernels, base, arena).asWeight();
                Content.of(sum, stored).writeTo(out);
            }
        };
        return new Entry(name, StoredType.of(stored), List.of(base.rows(), base.cols()), content);
    }

    /** A weight that the adapter brings; a vector is one row. */
    private Entry replaced(String name, Weight weight) {
        DType stored = stored(base(name));
        List<Long> shape = weight.rows() == 1 ? List.of(weight.cols()) : List.of(weight.rows(), weight.cols());
        return new Entry(name, StoredType.of(stored), shape, Content.of(weight, stored));
    }

    /** The base's weight of that name; of a tied head, the embedding. */
    private Weight base(String name) {
        return model.decoder().parameters().stream()
                .filter(parameter -> parameter.name().equals(name))
                .findFirst()
                .orElseGet(() -> model.decoder().linears().getLast().weight())
                .value();
    }

    /** An embedding that changes leaves a head that was tied to it as it was, a tensor of its own. */
    private void keepTiedHead(Map<String, List<Entry>> merged) {
        String head = CausalLanguageModel.HEAD + ".weight";
        String embedding = DecoderAssembler.embedding(model.config());
        if (model.config().tieWordEmbeddings() && merged.containsKey(embedding) && !merged.containsKey(head)) {
            Weight base = base(embedding);
            merged.put(head, List.of(Entry.of(head, base, stored(base))));
        }
    }

    /** The type that a sum is rounded to: the base's own, or what config.json says of one that has none. */
    private DType stored(Weight base) {
        return type.orElseGet(() -> base instanceof DenseWeight dense
                ? dense.type()
                : model.config().dtype().orElse(DType.F32));
    }

    private Entry merged(String name, Linear linear) {
        Weight base = linear.weight().value();
        DType stored = stored(base);
        boolean turned = base instanceof QuantizedWeight && model.config().family() == Family.GPT2;
        Content content = out -> {
            try (Arena arena = Arena.ofShared()) {
                Weight sum = sum(linear, arena).asWeight();
                Content.of(turned ? sum.transposed(arena).asWeight() : sum, stored)
                        .writeTo(out);
            }
        };
        List<Long> shape = turned ? List.of(base.cols(), base.rows()) : List.of(base.rows(), base.cols());
        return new Entry(name, StoredType.of(stored), shape, content);
    }

    private Tensor sum(Linear linear, Arena arena) {
        Weight base = linear.weight().value();
        LoraModule module = adapter.modules().get(linear.name());
        return module == null
                ? base.toTensor(arena)
                : module.mergeInto(kernels, base, linear.shape().transposed(), arena);
    }
}
