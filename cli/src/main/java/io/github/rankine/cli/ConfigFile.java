package io.github.rankine.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.github.rankine.engine.RankineException;
import io.github.rankine.models.json.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.StringJoiner;
import picocli.CommandLine.Model.CommandSpec;

/**
 * A YAML file of options: {@code learning-rate: 1e-4} stands for {@code --learning-rate 1e-4}. What is on the command line
 * wins.
 *
 * @param path   the file
 * @param values the options' values by name, without dashes
 */
record ConfigFile(Path path, Map<String, String> values) {
    static final String OPTION = "--config";

    /** Options that say how the command is run and not what it does. */
    private static final Set<String> NOT_IN_A_FILE = Set.of(OPTION, "--help", "--version");

    /** The file that a command line names, if it does. */
    static Optional<Path> in(String[] args) {
        for (int i = 0; i < args.length; i++) {
            if (args[i].equals(OPTION) && i + 1 < args.length) {
                return Optional.of(Path.of(args[i + 1]));
            }
            if (args[i].startsWith(OPTION + "=")) {
                return Optional.of(Path.of(args[i].substring(OPTION.length() + 1)));
            }
        }
        return Optional.empty();
    }

    /**
     * Reads a file for a command.
     *
     * @throws RankineException when it is not YAML, or holds a key that is none of the command's options
     */
    static ConfigFile read(Path path, CommandSpec command) {
        Map<String, String> values = new LinkedHashMap<>();
        tree(path).properties().forEach(field -> {
            String key = field.getKey();
            if (!isOption(command, key)) {
                String dashed = key.replaceFirst("^-+", "").replace('_', '-');
                throw new RankineException(path + ": unknown key '" + key + "'; "
                        + (isOption(command, dashed)
                                ? "write " + dashed
                                : "the keys are the options of '" + command.qualifiedName() + " --help'"));
            }
            value(path, key, field.getValue()).ifPresent(value -> values.put(key, value));
        });
        return new ConfigFile(path, values);
    }

    private static boolean isOption(CommandSpec command, String key) {
        return command.optionsMap().containsKey("--" + key) && !NOT_IN_A_FILE.contains("--" + key);
    }

    private static ObjectNode tree(Path path) {
        YAMLMapper mapper = YAMLMapper.builder(YAMLFactory.builder()
                        .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                        .build())
                .build();
        try {
            JsonNode tree = mapper.readTree(Json.readText(path));
            if (tree instanceof ObjectNode object) {
                return object;
            }
        } catch (JsonProcessingException e) {
            throw new RankineException(
                    path + ": not valid YAML: "
                            + e.getOriginalMessage().lines().findFirst().orElse(""),
                    e);
        }
        throw new RankineException(path + ": expected options, one a line, as in learning-rate: 1e-4");
    }

    private static Optional<String> value(Path path, String key, JsonNode node) {
        if (node.isNull()) {
            return Optional.empty();
        }
        if (node.isValueNode()) {
            return Optional.of(node.asText());
        }
        if (!node.isArray()) {
            throw new RankineException(path + ": " + key + ": expected a value, or a list of values");
        }
        StringJoiner list = new StringJoiner(",");
        for (JsonNode item : node) {
            if (!item.isValueNode()) {
                throw new RankineException(path + ": " + key + ": expected a list of plain values");
            }
            list.add(item.asText());
        }
        return Optional.of(list.toString());
    }

    /** Without the options that a command line has itself. */
    ConfigFile behind(String[] args) {
        Map<String, String> rest = new LinkedHashMap<>(values);
        rest.keySet().removeIf(key -> Arrays.stream(args).anyMatch(arg -> names(arg, key)));
        return new ConfigFile(path, rest);
    }

    /** The command line with the file's options added. */
    String[] addTo(String[] args) {
        List<String> all = new ArrayList<>(Arrays.asList(args));
        values.forEach((key, value) -> all.add("--" + key + "=" + value));
        return all.toArray(String[]::new);
    }

    private static boolean names(String arg, String key) {
        String option = arg.contains("=") ? arg.substring(0, arg.indexOf('=')) : arg;
        return option.equals("--" + key) || option.equals("--no-" + key);
    }
}
