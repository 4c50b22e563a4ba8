package io.github.rankine.models.chat;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A Jinja2 template rewritten for Jinjava. White space is taken away beforehand, for Jinjava's way with it differs: as by
 * Jinja2 with {@code trim_blocks} and {@code lstrip_blocks}, and by {@code -} and {@code +} in tags (<a
 * href="https://jinja.palletsprojects.com/en/stable/templates/#whitespace-control">white space control</a>). Expressions
 * are rewritten where Jinjava does not take them as they are, see {@link JinjaExpression}. Every line keeps its number.
 */
final class JinjaSource {
    private final String template;
    private final StringBuilder text = new StringBuilder();
    private final Map<String, String> literals = new HashMap<>();
    private final Map<String, Long> filters = new LinkedHashMap<>();
    private final Deque<String> blocks = new ArrayDeque<>();
    private int position;
    private int loops;

    private JinjaSource(String template) {
        this.template = template;
    }

    /**
     * @param text     the template for Jinjava
     * @param literals variables that it refers to
     * @param filters  the filters that it uses, with the first line that does
     */
    record Rewritten(String text, Map<String, String> literals, Map<String, Long> filters) {}

    /** @throws IllegalArgumentException when a tag is not closed; the message says which */
    static Rewritten rewrite(String template) {
        String lines = template.replace("\r\n", "\n").replace('\r', '\n');
        JinjaSource source = new JinjaSource(lines.endsWith("\n") ? lines.substring(0, lines.length() - 1) : lines);
        source.run();
        return new Rewritten(source.text.toString(), source.literals, source.filters);
    }

    private void run() {
        boolean lineStart = true;
        while (position < template.length()) {
            int tag = nextTag(position);
            if (tag < 0) {
                text.append(template.substring(position));
                return;
            }
            char kind = template.charAt(tag + 1);
            char control = tag + 2 < template.length() ? template.charAt(tag + 2) : ' ';
            String before = template.substring(position, tag);
            String kept = control == '-'
                    ? before.stripTrailing()
                    : kind != '{' && control != '+' ? withoutIndent(before, lineStart) : before;
            text.append(kept);
            skip(before.substring(kept.length()));
            int start = control == '-' || control == '+' ? tag + 3 : tag + 2;
            int end = kind == '#' ? comment(start) : end(tag, start, kind);
            String content = template.substring(start, end).strip();
            if (kind == '%' && content.replaceAll("[-+]$", "").strip().equals("raw")) {
                end = raw(end);
            } else {
                emit(kind, tag, start, end);
            }
            lineStart = after(end, kind);
        }
    }

    private int nextTag(int from) {
        for (int i = template.indexOf('{', from);
                i >= 0 && i + 1 < template.length();
                i = template.indexOf('{', i + 1)) {
            if ("{%#".indexOf(template.charAt(i + 1)) >= 0) {
                return i;
            }
        }
        return -1;
    }

    /** Without the spaces between the line's beginning and a block. */
    private static String withoutIndent(String before, boolean lineStart) {
        int line = before.lastIndexOf('\n') + 1;
        return (line > 0 || lineStart) && before.substring(line).isBlank() ? before.substring(0, line) : before;
    }

    private int comment(int start) {
        int end = template.indexOf("#}", start);
        if (end < 0) {
            throw new IllegalArgumentException(unclosed(start, "{#"));
        }
        return end;
    }

    /** Where a tag's closing delimiter is: outside of strings and brackets. */
    private int end(int tag, int start, char kind) {
        char close = kind == '{' ? '}' : '%';
        int depth = 0;
        for (int i = start; i + 1 < template.length(); i++) {
            char c = template.charAt(i);
            if (depth == 0 && c == close && template.charAt(i + 1) == '}') {
                return i;
            }
            switch (c) {
                case '\'', '"' -> i = JinjaExpression.endOfString(template, i) - 1;
                case '(', '[', '{' -> depth++;
                case ')', ']', '}' -> depth--;
                default -> {}
            }
        }
        throw new IllegalArgumentException(unclosed(tag, kind == '{' ? "{{" : "{%"));
    }

    private void emit(char kind, int tag, int start, int end) {
        boolean controlled = end > start && "-+".indexOf(template.charAt(end - 1)) >= 0;
        String content = template.substring(start, controlled ? end - 1 : end);
        String statement = content.strip();
        boolean dropped = kind == '#' || statement.equals("generation") || statement.equals("endgeneration");
        if (dropped) {
            skip(content);
            return;
        }
        JinjaExpression expression = new JinjaExpression(literals);
        if (kind == '{') {
            String rewritten = expression.rewrite(content);
            // A sign there is not one for white space.
            boolean sign = statement.startsWith("-") || statement.startsWith("+");
            text.append(sign ? "{{ 0 " : "{{ ").append(rewritten).append(" }}");
        } else {
            refuseElseOfLoop(statement, tag);
            text.append(expression.statement(content, loops++));
        }
        expression.filters().forEach(filter -> filters.putIfAbsent(filter, line(tag)));
    }

    /** Jinjava would render it every time. */
    private void refuseElseOfLoop(String statement, int tag) {
        String word = statement.split("\\W", 2)[0];
        switch (word) {
            case "for", "if" -> blocks.push(word);
            case "endfor", "endif" -> blocks.poll();
            case "else" -> {
                if ("for".equals(blocks.peek())) {
                    throw new IllegalArgumentException("line " + line(tag)
                            + ": the else of a for loop is not supported; use an if around the loop");
                }
            }
            default -> {}
        }
    }

    /** A raw block, as a variable; returns where its last tag is closed. */
    private int raw(int end) {
        int begin = end + 2;
        int tag = begin - 1;
        do {
            tag = template.indexOf("{%", tag + 1);
            if (tag < 0) {
                throw new IllegalArgumentException(unclosed(end, "{% raw %}"));
            }
        } while (!template.substring(tag + 2).replaceFirst("^[-+]?\\s*", "").startsWith("endraw"));
        String content = template.substring(begin, tag);
        boolean before = template.charAt(end - 1) == '-';
        boolean after = template.charAt(tag + 2) == '-';
        String stripped = before ? content.stripLeading() : content;
        stripped = after ? stripped.stripTrailing() : withoutIndent(stripped, false);
        text.append("{{ ").append(JinjaExpression.variable(stripped, literals)).append(" }}");
        skip(content);
        return end(tag, tag + 2, '%');
    }

    /** Passes a tag's closing delimiter and the white space that goes with it; whether a line begins there. */
    private boolean after(int end, char kind) {
        char control = template.charAt(end - 1);
        position = end + 2;
        int rest = position;
        if (control == '-') {
            while (rest < template.length() && Character.isWhitespace(template.charAt(rest))) {
                rest++;
            }
        } else if (kind != '{' && control != '+' && rest < template.length() && template.charAt(rest) == '\n') {
            rest++;
        }
        skip(template.substring(position, rest));
        boolean lineStart = rest > position && template.charAt(rest - 1) == '\n';
        position = rest;
        return lineStart;
    }

    /** Leaves text out, but for its line breaks, which go into a comment. */
    private void skip(String skipped) {
        long lines = skipped.chars().filter(c -> c == '\n').count();
        if (lines > 0) {
            text.append("{#").append("\n".repeat((int) lines)).append("#}");
        }
    }

    private String unclosed(int at, String delimiter) {
        return "line " + line(at) + ": " + delimiter + " is not closed";
    }

    private long line(int at) {
        return 1 + template.substring(0, at).chars().filter(c -> c == '\n').count();
    }
}
