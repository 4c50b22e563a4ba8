package io.github.rankine.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.models.files.AtomicFile;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Ranks of single modules in a file, {@code {"rank_pattern": {"model.layers.0.self_attn.q_proj": 4, …}}}, as adapter_config.json has them. */
final class RankPattern {
    private static final String FIELD = "rank_pattern";

    private RankPattern() {}

    static void write(Path file, Map<String, Integer> ranks) {
        ObjectNode node = Json.mapper().createObjectNode();
        ObjectNode pattern = node.putObject(FIELD);
        ranks.forEach(pattern::put);
        AtomicFile.writeText(file, Json.write(node) + "\n");
    }

    /** @throws RankineException where no file can be written in that place */
    static void requireWritable(Path file) {
        Path folder = file.toAbsolutePath().getParent();
        if (Files.isDirectory(file)) {
            throw new RankineException(file + ": a folder; --rank-pattern names a file");
        }
        if (!Files.isDirectory(folder)) {
            throw new RankineException(file + ": there is no folder " + folder + "; make it, or choose another file");
        }
    }

    /** @throws RankineException naming the file and the field where it is anything else */
    static Map<String, Integer> read(Path file) {
        JsonObject object = Json.readObject(file);
        JsonNode pattern = object.toNode().path(FIELD);
        if (!pattern.isObject()) {
            throw object.unexpected(
                    FIELD, "an object of module names and ranks, as 'rankine svd --rank-pattern' writes");
        }
        Map<String, Integer> ranks = new LinkedHashMap<>();
        pattern.properties().forEach(entry -> {
            if (!entry.getValue().isInt() || entry.getValue().intValue() < 1) {
                throw new RankineException(file + ": " + FIELD + "." + entry.getKey() + ": " + entry.getValue()
                        + ", expected a rank of at least 1");
            }
            ranks.put(entry.getKey(), entry.getValue().intValue());
        });
        return ranks;
    }
}
