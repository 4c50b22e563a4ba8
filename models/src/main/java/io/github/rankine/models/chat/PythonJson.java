package io.github.rankine.models.chat;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.AdvancedFilter;
import java.util.Collection;
import java.util.Iterator;
import java.util.Map;

/** The filter {@code tojson} as Transformers defines it: Python's {@code json.dumps(value, ensure_ascii=False, indent=…)}. */
final class PythonJson implements AdvancedFilter {
    @Override
    public String getName() {
        return "tojson";
    }

    @Override
    public Object filter(
            Object value, JinjavaInterpreter interpreter, Object[] arguments, Map<String, Object> keywords) {
        Object indent = keywords.getOrDefault("indent", arguments.length > 0 ? arguments[0] : null);
        StringBuilder json = new StringBuilder();
        write(value, indent instanceof Number number ? number.intValue() : -1, 0, json);
        return json.toString();
    }

    private static void write(Object value, int indent, int depth, StringBuilder json) {
        switch (value) {
            case null -> json.append("null");
            case Map<?, ?> map ->
                writeAll(map.entrySet(), '{', '}', indent, depth, json, entry -> {
                    Map.Entry<?, ?> field = (Map.Entry<?, ?>) entry;
                    writeString(String.valueOf(field.getKey()), json);
                    json.append(": ");
                    write(field.getValue(), indent, depth + 1, json);
                });
            case Collection<?> items ->
                writeAll(items, '[', ']', indent, depth, json, item -> write(item, indent, depth + 1, json));
            case Number number -> json.append(number);
            case Boolean bool -> json.append(bool.booleanValue());
            default -> writeString(value.toString(), json);
        }
    }

    private static void writeAll(
            Collection<?> items,
            char open,
            char close,
            int indent,
            int depth,
            StringBuilder json,
            java.util.function.Consumer<Object> writer) {
        json.append(open);
        for (Iterator<?> iterator = items.iterator(); iterator.hasNext(); ) {
            newLine(indent, depth + 1, json);
            writer.accept(iterator.next());
            if (iterator.hasNext()) {
                json.append(indent < 0 ? ", " : ",");
            }
        }
        if (!items.isEmpty()) {
            newLine(indent, depth, json);
        }
        json.append(close);
    }

    private static void newLine(int indent, int depth, StringBuilder json) {
        if (indent >= 0) {
            json.append('\n').append(" ".repeat(indent * depth));
        }
    }

    private static void writeString(String text, StringBuilder json) {
        json.append('"');
        for (char c : text.toCharArray()) {
            switch (c) {
                case '"' -> json.append("\\\"");
                case '\\' -> json.append("\\\\");
                case '\n' -> json.append("\\n");
                case '\r' -> json.append("\\r");
                case '\t' -> json.append("\\t");
                case '\b' -> json.append("\\b");
                case '\f' -> json.append("\\f");
                default -> json.append(c < 0x20 ? String.format("\\u%04x", (int) c) : String.valueOf(c));
            }
        }
        json.append('"');
    }
}
