package io.github.rankine.models.family;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.files.AtomicFile;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.quantized.BitsAndBytes;
import io.github.rankine.models.safetensors.Checkpoint;
import io.github.rankine.models.safetensors.SafetensorsWriter;
import io.github.rankine.models.safetensors.SafetensorsWriter.Content;
import io.github.rankine.models.safetensors.SafetensorsWriter.Entry;
import io.github.rankine.models.safetensors.StoredType;
import io.github.rankine.models.safetensors.TensorInfo;
import java.io.IOException;
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
 * Writes a checkpoint again with some of its tensors replaced. Every tensor of it is in the copy, those that no layer uses too, and
 * what belongs to a model beside its weights.
 */
final class CheckpointCopy {
    /** What belongs to a model beside its weights: tokenizer, chat template, generation settings, the terms of its use. */
    private static final Pattern COMPANION =
            Pattern.compile("(?i).+\\.(json|jinja|txt|model)|(licen[sc]e|notice|use_policy).*");

    /** Of those, what is written anew or speaks of the base's own files. */
    private static final Pattern OWN = Pattern.compile("config\\.json|.*\\.index\\.json|adapter_config\\.json");

    private static final String HEAD = CausalLanguageModel.HEAD + ".weight";

    private final ModelConfig config;
    private final Checkpoint checkpoint;
    private final Optional<DType> type;

    /** @param type what all weights are stored as; without it, each keeps its own type */
    CheckpointCopy(CausalLanguageModel model, Optional<DType> type) {
        this.config = model.config();
        this.checkpoint = model.checkpoint()
                .orElseThrow(() -> new IllegalStateException("only a model that was opened from a folder is copied"));
        this.type = type;
    }

    /** @throws RankineException where the folder holds anything but what a killed copy left behind, which is overwritten */
    static void refuseUnlessEmpty(Path folder) {
        if (!Files.isDirectory(folder)) {
            return;
        }
        for (Path file : list(folder)) {
            if (!file.endsWith(Checkpoint.SINGLE + ".tmp")) {
                throw new RankineException(folder + ": the output folder holds something else, such as "
                        + file.getFileName() + "; name a new or an empty one");
            }
        }
    }

    /**
     * @param replacements by the tensor's name in the model, each by one tensor or several; of what the checkpoint has not, as a head that
     *     was tied, they are added. A quantised weight must be among them
     * @param quantization what config.json says of the weights in the copy, if they are quantised
     */
    void write(Path folder, Map<String, List<Entry>> replacements, Optional<ObjectNode> quantization) {
        AtomicFile.createFolder(folder);
        Map<String, List<Entry>> left = new LinkedHashMap<>(replacements);
        TensorNames names = TensorNames.of(checkpoint, DecoderAssembler.prefix(config));
        List<Entry> entries = new ArrayList<>();
        for (TensorInfo tensor : checkpoint.tensors()) {
            if (BitsAndBytes.isCompanion(checkpoint, tensor.name())) {
                continue; // of a weight that is replaced
            }
            String name = names.full(tensor.name());
            List<Entry> replacement = left.remove(name);
            entries.addAll(replacement == null ? List.of(unchanged(name, tensor)) : replacement);
        }
        left.values().forEach(entries::addAll);
        SafetensorsWriter.write(folder.resolve(Checkpoint.SINGLE), Map.of("format", "pt"), entries);
        copyCompanions(folder);
        // Last, since a folder without it is no checkpoint.
        AtomicFile.writeText(folder.resolve(ModelConfig.FILE), config(replacements.containsKey(HEAD), quantization));
    }

    private Entry unchanged(String name, TensorInfo tensor) {
        Optional<DType> from = tensor.type().engineType();
        if (type.isEmpty() || from.isEmpty()) {
            return new Entry(name, tensor.type(), tensor.shape(), Content.of(checkpoint.bytes(tensor.name())));
        }
        DenseWeight elements = new DenseWeight(from.get(), 1, tensor.elements(), checkpoint.bytes(tensor.name()));
        return new Entry(name, StoredType.of(type.get()), tensor.shape(), Content.of(elements, type.get()));
    }

    private String config(boolean ownHead, Optional<ObjectNode> quantization) {
        String json = type.map(config::jsonWithDtype).orElse(config.json());
        boolean untied = config.tieWordEmbeddings() && ownHead;
        if (!untied && quantization.isEmpty() && config.quantization().isEmpty()) {
            return json;
        }
        ObjectNode node = Json.parseObject(json, ModelConfig.FILE).toNode();
        if (untied) {
            node.put("tie_word_embeddings", false);
        }
        node.remove(ModelConfig.QUANTIZATION);
        quantization.ifPresent(description -> node.set(ModelConfig.QUANTIZATION, description));
        return Json.write(node) + "\n";
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
