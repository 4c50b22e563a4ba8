package io.github.rankine.models.family;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraModule;
import io.github.rankine.engine.nn.Linear;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.files.AtomicFile;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.safetensors.Checkpoint;
import io.github.rankine.models.safetensors.SafetensorsWriter;
import io.github.rankine.models.safetensors.SafetensorsWriter.Content;
import io.github.rankine.models.safetensors.SafetensorsWriter.Entry;
import io.github.rankine.models.safetensors.StoredType;
import io.github.rankine.models.safetensors.TensorInfo;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Writes a checkpoint with an adapter added to its weights. Every tensor of the base is in it, those that no layer uses
 * too. One adapted matrix at a time is in memory, added up in float32 and rounded once.
 */
final class CheckpointMerge {
    /** What belongs to a model beside its weights: tokenizer, chat template, generation settings, the terms of its use. */
    private static final Pattern COMPANION =
            Pattern.compile("(?i).+\\.(json|jinja|txt|model)|(licen[sc]e|notice|use_policy).*");

    /** Of those, what is written anew or speaks of the base's own files. */
    private static final Pattern OWN = Pattern.compile("config\\.json|.*\\.index\\.json|adapter_config\\.json");

    private final CausalLanguageModel model;
    private final Checkpoint checkpoint;
    private final LoraAdapter adapter;
    private final Kernels kernels;
    private final Optional<DType> type;

    CheckpointMerge(CausalLanguageModel model, LoraAdapter adapter, Kernels kernels, Optional<DType> type) {
        this.model = model;
        this.checkpoint = model.checkpoint()
                .orElseThrow(() -> new IllegalStateException("only a model that was opened from a folder is merged"));
        this.adapter = adapter;
        this.kernels = kernels;
        this.type = type;
    }

    void write(Path folder) {
        refuseUnlessEmpty(folder);
        AtomicFile.createFolder(folder);
        SafetensorsWriter.write(folder.resolve(Checkpoint.SINGLE), Map.of("format", "pt"), entries());
        copyCompanions(folder);
        // Last, since a folder without it is no checkpoint.
        AtomicFile.writeText(folder.resolve(ModelConfig.FILE), config());
    }

    private static void refuseUnlessEmpty(Path folder) {
        if (!Files.isDirectory(folder)) {
            return;
        }
        for (Path file : list(folder)) {
            // What a killed merge left behind is overwritten.
            if (!file.endsWith(Checkpoint.SINGLE + ".tmp")) {
                throw new RankineException(folder + ": the output folder holds something else, such as "
                        + file.getFileName() + "; name a new or an empty one");
            }
        }
    }

    private List<Entry> entries() {
        Map<String, Linear> adapted = new LinkedHashMap<>();
        for (Linear linear : model.decoder().linears()) {
            if (adapter.modules().containsKey(linear.name())) {
                // Not the weight's own name: a tied head's is the embedding, which must stay what it is.
                adapted.put(linear.name() + ".weight", linear);
            }
        }
        TensorNames names = TensorNames.of(checkpoint, DecoderAssembler.prefix(model.config()));
        List<Entry> entries = new ArrayList<>();
        for (TensorInfo tensor : checkpoint.tensors()) {
            String name = names.full(tensor.name());
            Linear linear = adapted.remove(name);
            entries.add(linear == null ? unchanged(name, tensor) : merged(name, linear));
        }
        // What the base has no tensor for: a head that was tied to the embedding.
        adapted.forEach((name, linear) -> entries.add(merged(name, linear)));
        return entries;
    }

    private Entry unchanged(String name, TensorInfo tensor) {
        Optional<DType> from = tensor.type().engineType();
        if (type.isEmpty() || from.isEmpty()) {
            return new Entry(name, tensor.type(), tensor.shape(), Content.of(checkpoint.bytes(tensor.name())));
        }
        Weight elements = new Weight(from.get(), 1, tensor.elements(), checkpoint.bytes(tensor.name()));
        return new Entry(name, StoredType.of(type.get()), tensor.shape(), Content.of(elements, type.get()));
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

    private String config() {
        ModelConfig config = model.config();
        String json = type.map(config::jsonWithDtype).orElse(config.json());
        if (!config.tieWordEmbeddings() || !adapter.modules().containsKey(CausalLanguageModel.HEAD)) {
            return json;
        }
        ObjectNode node = Json.parseObject(json, ModelConfig.FILE).toNode();
        return Json.write(node.put("tie_word_embeddings", false)) + "\n";
    }

    private void copyCompanions(Path folder) {
        for (Path file : list(checkpoint.folder())) {
            String name = file.getFileName().toString();
            if (Files.isRegularFile(file)
                    && COMPANION.matcher(name).matches()
                    && !OWN.matcher(name).matches()) {
                AtomicFile.write(folder.resolve(name), out -> {
                    try (FileChannel in = FileChannel.open(file)) {
                        for (long done = 0; done < in.size(); ) {
                            done += in.transferTo(done, in.size() - done, out);
                        }
                    }
                });
            }
        }
    }

    private static List<Path> list(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.sorted().toList();
        } catch (IOException e) {
            throw new RankineException(folder + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }
}
