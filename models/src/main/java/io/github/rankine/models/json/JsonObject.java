package io.github.rankine.models.json;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;

/**
 * A JSON object whose fields are read with the type and range that they must have. A field that is absent and one that
 * is {@code null} are the same thing, as for the Python programs that write these files.
 *
 * <p>Every reader throws a {@link RankineException} that names the source, the field and what is expected.
 */
public final class JsonObject {
    private final String source;
    private final String path;
    private final ObjectNode node;

    JsonObject(String source, String path, ObjectNode node) {
        this.source = source;
        this.path = path;
        this.node = node;
    }

    /** The file, or the place in one, that the object is from. */
    public String source() {
        return source;
    }

    /** Whether the field is there and not null. */
    public boolean has(String field) {
        return node.hasNonNull(field);
    }

    /** The names of the fields, in the file's order. */
    public List<String> names() {
        return List.copyOf(node.properties().stream().map(Map.Entry::getKey).toList());
    }

    /** The field as it is; null when there is none. */
    public JsonNode get(String field) {
        return has(field) ? node.get(field) : null;
    }

    /** A copy of the tree. */
    public ObjectNode toNode() {
        return node.deepCopy();
    }

    /** An integer from {@code min} to {@code max}. */
    public int integer(String field, int min, int max) {
        return integerIn(field, required(field, integerRange(min, max)), min, max);
    }

    /** An integer from {@code min} to {@code max}, or {@code absent}. */
    public int integer(String field, int min, int max, int absent) {
        return has(field) ? integer(field, min, max) : absent;
    }

    /** A finite number from {@code min} to {@code max}; {@link Double#MIN_VALUE} stands for anything above 0. */
    public double number(String field, double min, double max) {
        return numberIn(field, required(field, numberRange(min, max)), min, max);
    }

    /** A finite number from {@code min} to {@code max}, or {@code absent}. */
    public double number(String field, double min, double max, double absent) {
        return has(field) ? number(field, min, max) : absent;
    }

    /** true or false, or {@code absent}. */
    public boolean flag(String field, boolean absent) {
        if (!has(field)) {
            return absent;
        }
        if (!node.get(field).isBoolean()) {
            throw unexpected(field, "true or false");
        }
        return node.get(field).booleanValue();
    }

    /** A string. */
    public String string(String field) {
        JsonNode value = required(field, "a string");
        if (!value.isTextual()) {
            throw unexpected(field, "a string");
        }
        return value.textValue();
    }

    /** A string, or {@code absent}. */
    public String string(String field, String absent) {
        return has(field) ? string(field) : absent;
    }

    /** An object, if there is one. */
    public Optional<JsonObject> object(String field) {
        if (!has(field)) {
            return Optional.empty();
        }
        if (!(node.get(field) instanceof ObjectNode object)) {
            throw unexpected(field, "an object");
        }
        return Optional.of(new JsonObject(source, path + field + ".", object));
    }

    /** A list of strings; empty when there is none. */
    public List<String> strings(String field) {
        return list(field, "a list of strings", (name, item) -> {
            if (!item.isTextual()) {
                throw unexpected(name, item, "a string");
            }
            return item.textValue();
        });
    }

    /** A list of integers from {@code min} to {@code max}; empty when there is none. A lone integer is a list of one. */
    public List<Integer> integers(String field, int min, int max) {
        if (has(field) && node.get(field).isNumber()) {
            return List.of(integer(field, min, max));
        }
        return list(field, "a list of integers", (name, item) -> integerIn(name, item, min, max));
    }

    /** An object of integers from {@code min} to {@code max}, in the file's order; empty when there is none. */
    public Map<String, Integer> integerMap(String field, int min, int max) {
        return map(field, (name, item) -> integerIn(name, item, min, max));
    }

    /** An object of finite numbers from {@code min} to {@code max}, in the file's order; empty when there is none. */
    public Map<String, Double> numberMap(String field, double min, double max) {
        return map(field, (name, item) -> numberIn(name, item, min, max));
    }

    /** An object of strings, in the file's order; empty when there is none. */
    public Map<String, String> stringMap(String field) {
        return map(field, (name, item) -> {
            if (!item.isTextual()) {
                throw unexpected(name, item, "a string");
            }
            return item.textValue();
        });
    }

    /** A complaint about the field's value, to be thrown; {@code remedy} says what would be right. */
    public RankineException unexpected(String field, String remedy) {
        return has(field) ? unexpected(field, node.get(field), remedy) : missing(field, remedy);
    }

    /** A complaint about the field in free words. */
    public RankineException error(String field, String complaint) {
        return new RankineException(source + ": " + path + field + ": " + complaint);
    }

    private <T> List<T> list(String field, String expected, BiFunction<String, JsonNode, T> item) {
        if (!has(field)) {
            return List.of();
        }
        if (!node.get(field).isArray()) {
            throw unexpected(field, expected);
        }
        List<T> items = new ArrayList<>();
        for (JsonNode element : node.get(field)) {
            items.add(item.apply(field + "[" + items.size() + "]", element));
        }
        return items;
    }

    private <T> Map<String, T> map(String field, BiFunction<String, JsonNode, T> item) {
        Map<String, T> values = new LinkedHashMap<>();
        object(field)
                .ifPresent(object -> object.node
                        .properties()
                        .forEach(entry -> values.put(
                                entry.getKey(), item.apply(field + "." + entry.getKey(), entry.getValue()))));
        return values;
    }

    private int integerIn(String name, JsonNode value, int min, int max) {
        if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < min || value.intValue() > max) {
            throw unexpected(name, value, integerRange(min, max));
        }
        return value.intValue();
    }

    private double numberIn(String name, JsonNode value, double min, double max) {
        // Negated, so that what is not a number fails as well.
        if (!value.isNumber() || !(value.doubleValue() >= min && value.doubleValue() <= max)) {
            throw unexpected(name, value, numberRange(min, max));
        }
        return value.doubleValue();
    }

    private JsonNode required(String field, String expected) {
        if (!has(field)) {
            throw missing(field, expected);
        }
        return node.get(field);
    }

    private RankineException missing(String field, String expected) {
        return new RankineException(source + ": no field " + path + field + "; expected " + expected);
    }

    private RankineException unexpected(String name, JsonNode value, String expected) {
        return error(name, Json.kind(value) + " found, expected " + expected);
    }

    private static String integerRange(int min, int max) {
        return max == Integer.MAX_VALUE ? "an integer of at least " + min : "an integer from " + min + " to " + max;
    }

    private static String numberRange(double min, double max) {
        return min == Double.MIN_VALUE ? "a number above 0, at most " + max : "a number from " + min + " to " + max;
    }
}
