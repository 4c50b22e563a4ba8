package io.github.rankine.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.peft.PeftAdapter;
import io.github.rankine.models.peft.PeftConfig;
import io.github.rankine.models.safetensors.Checkpoint;
import io.github.rankine.models.safetensors.SafetensorsFile;
import io.github.rankine.models.safetensors.TensorInfo;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * What a path holds, as far as headers and configuration tell. Nothing is refused for being of a kind that cannot be
 * trained: this is how to find out what it is.
 *
 * @param kind     checkpoint, adapter or file
 * @param config   config.json or adapter_config.json, as it is
 * @param metadata the strings in the headers
 * @param tensors  in the files' order
 */
record Inspection(
        Path path, Kind kind, Optional<ObjectNode> config, Map<String, String> metadata, List<Tensor> tensors) {

    enum Kind {
        CHECKPOINT("checkpoint"),
        ADAPTER("adapter"),
        FILE("safetensors file");

        private final String words;

        Kind(String words) {
            this.words = words;
        }
    }

    /** A tensor and the file that holds it. */
    record Tensor(String file, TensorInfo info) {}

    /** @throws RankineException when nothing of that kind is there, or it is damaged */
    static Inspection of(Path path) {
        if (Files.isRegularFile(path)) {
            try (SafetensorsFile file = SafetensorsFile.open(path)) {
                return of(path, Kind.FILE, Optional.empty(), List.of(file));
            }
        }
        if (!Files.exists(path)) {
            throw new RankineException(path + ": no such file or folder");
        }
        if (Files.exists(path.resolve(PeftConfig.FILE))) {
            ObjectNode config = Json.readObject(path.resolve(PeftConfig.FILE)).toNode();
            try (SafetensorsFile file = SafetensorsFile.open(path.resolve(PeftAdapter.WEIGHTS))) {
                return of(path, Kind.ADAPTER, Optional.of(config), List.of(file));
            }
        }
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
            Path config = path.resolve(ModelConfig.FILE);
            return of(
                    path,
                    Kind.CHECKPOINT,
                    Files.exists(config) ? Optional.of(Json.readObject(config).toNode()) : Optional.empty(),
                    checkpoint.files());
        }
    }

    private static Inspection of(Path path, Kind kind, Optional<ObjectNode> config, List<SafetensorsFile> files) {
        Map<String, String> metadata = new TreeMap<>();
        List<Tensor> tensors = new ArrayList<>();
        for (SafetensorsFile file : files) {
            metadata.putAll(file.metadata());
            String name = file.path().getFileName().toString();
            file.tensors().forEach(tensor -> tensors.add(new Tensor(name, tensor)));
        }
        return new Inspection(path, kind, config, metadata, tensors);
    }

    private long parameters() {
        return tensors.stream().mapToLong(tensor -> tensor.info().elements()).sum();
    }

    private long bytes() {
        return tensors.stream().mapToLong(tensor -> tensor.info().bytes()).sum();
    }

    private long files() {
        return tensors.stream().map(Tensor::file).distinct().count();
    }

    private String types() {
        return tensors.stream()
                .collect(Collectors.groupingBy(tensor -> tensor.info().type(), TreeMap::new, Collectors.counting()))
                .entrySet()
                .stream()
                .map(type -> type.getValue() + " " + type.getKey())
                .collect(Collectors.joining(", "));
    }

    ObjectNode toJson() {
        ObjectNode node = Json.mapper().createObjectNode();
        node.put("path", path.toString());
        node.put("kind", kind.words);
        node.put("parameters", parameters());
        node.put("bytes", bytes());
        config.ifPresent(json -> node.set("config", json));
        metadata.forEach(node.putObject("metadata")::put);
        ArrayNode list = node.putArray("tensors");
        for (Tensor tensor : tensors) {
            ObjectNode entry = list.addObject();
            entry.put("name", tensor.info().name());
            entry.put("type", tensor.info().type().name());
            tensor.info().shape().forEach(entry.putArray("shape")::add);
            entry.put("parameters", tensor.info().elements());
            entry.put("bytes", tensor.info().bytes());
            entry.put("file", tensor.file());
        }
        return node;
    }

    String toText() {
        StringBuilder text = new StringBuilder();
        text.append(path).append(": ").append(kind.words);
        text.append(String.format(
                ", %s parameters in %d tensors (%s), %s in %d file%s\n",
                Figures.exact(parameters()),
                tensors.size(),
                types(),
                Figures.bytes(bytes()),
                files(),
                files() == 1 ? "" : "s"));
        config.ifPresent(json -> json.properties().forEach(field -> {
            if (says(field.getValue())) {
                text.append(line(field.getKey(), field.getValue().toString()));
            }
        }));
        metadata.forEach((name, value) -> text.append(line("metadata " + name, value)));
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("tensor", "type", "shape", "parameters", "bytes"));
        for (Tensor tensor : tensors) {
            TensorInfo info = tensor.info();
            rows.add(List.of(
                    printable(info.name()),
                    info.type().name(),
                    info.shape().toString(),
                    Figures.exact(info.elements()),
                    Figures.exact(info.bytes())));
        }
        return text.append(Table.of(rows, 3)).toString();
    }

    private static String line(String name, String value) {
        return "  " + printable(name + ": " + value) + "\n";
    }

    /** Names and values out of files, without what a terminal would obey. */
    private static String printable(String text) {
        return text.replaceAll("\\p{Cntrl}", " ");
    }

    /** Whether a field says more than that there is nothing: PEFT writes every one that it has. */
    private static boolean says(JsonNode value) {
        return !value.isNull() && !(value.isContainerNode() && value.isEmpty());
    }
}
