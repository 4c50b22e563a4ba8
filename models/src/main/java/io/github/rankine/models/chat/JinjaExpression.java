package io.github.rankine.models.chat;

import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The inside of a tag, rewritten for Jinjava: Python's names for constants; {@code [::-1]} as a filter; a loop's
 * {@code if} as a loop of its own; computed keyword arguments in parentheses; and strings that Jinjava reads differently
 * (with escapes, line breaks or braces) as variables.
 */
final class JinjaExpression {
    private static final Pattern FILTERED_LOOP = Pattern.compile("for\\s+(\\w+)\\s+in\\s(.*)", Pattern.DOTALL);
    private static final Pattern CONSTANTS = Pattern.compile("(?<![\\w.])(True|False|None)(?!\\w)");

    private static final Pattern FILTER = Pattern.compile("\\|\\s*(\\w+)");
    private static final Pattern KEYWORD = Pattern.compile("[(,]\\s*\\w+\\s*=(?!=)");
    private static final Pattern COMPUTED = Pattern.compile("[-+*/%~<>]|==|\\b(and|or|not|in|is|if)\\b");

    private final Map<String, String> literals;
    private final Set<String> filters = new LinkedHashSet<>();

    JinjaExpression(Map<String, String> literals) {
        this.literals = literals;
    }

    /** A statement's tags. */
    String statement(String content, int loop) {
        String statement = rewrite(content);
        Matcher matcher = FILTERED_LOOP.matcher(statement.strip());
        int condition = matcher.matches() ? topLevelIf(matcher.group(2)) : -1;
        if (condition < 0) {
            return "{% " + statement + " %}";
        }
        String kept = "kept__" + loop;
        String variable = matcher.group(1);
        String items = matcher.group(2).substring(0, condition);
        String test = matcher.group(2).substring(condition + " if ".length());
        return "{% set " + kept + " = [] %}{% for " + variable + " in " + items + " %}{% if " + test + " %}{% do "
                + kept + ".append(" + variable + ") %}{% endif %}{% endfor %}{% for " + variable + " in " + kept
                + " %}";
    }

    String rewrite(String content) {
        return keywordArguments(replaceWords(content));
    }

    private String replaceWords(String content) {
        StringBuilder rewritten = new StringBuilder();
        int position = 0;
        while (position < content.length()) {
            int string = nextString(content, position);
            rewritten.append(code(content.substring(position, string)));
            position = string;
            if (string < content.length()) {
                position = endOfString(content, string);
                rewritten.append(string(content.substring(string, position)));
            }
        }
        return rewritten.toString();
    }

    /** The names of the filters in what has been rewritten. */
    Set<String> filters() {
        return filters;
    }

    /** Jinjava takes {@code f(a=b + 1)} for {@code f((a=b) + 1)}. */
    private static String keywordArguments(String code) {
        StringBuilder rewritten = new StringBuilder();
        int copied = 0;
        for (Matcher matcher = KEYWORD.matcher(code); matcher.find(); ) {
            int end = endOfArgument(code, matcher.end());
            String value = code.substring(matcher.end(), end);
            if (matcher.end() >= copied && COMPUTED.matcher(value).find()) {
                rewritten
                        .append(code, copied, matcher.end())
                        .append('(')
                        .append(value.strip())
                        .append(')');
                copied = end;
            }
        }
        return rewritten.append(code.substring(copied)).toString();
    }

    /** The comma or bracket behind an argument. */
    private static int endOfArgument(String code, int start) {
        int depth = 0;
        for (int i = start; i < code.length(); i++) {
            switch (code.charAt(i)) {
                case '(', '[', '{' -> depth++;
                case ')', ']', '}' -> {
                    if (depth-- == 0) {
                        return i;
                    }
                }
                case ',' -> {
                    if (depth == 0) {
                        return i;
                    }
                }
                case '\'', '"' -> i = endOfString(code, i) - 1;
                default -> {}
            }
        }
        return code.length();
    }

    private String code(String code) {
        FILTER.matcher(code).results().forEach(match -> filters.add(match.group(1)));
        String lower = CONSTANTS.matcher(code).replaceAll(match -> match.group().toLowerCase(Locale.ROOT));
        return lower.replaceAll("\\[\\s*:\\s*:\\s*-1\\s*\\]", "|reverse");
    }

    private String string(String literal) {
        String content = literal.substring(1, literal.length() - 1);
        return content.matches("[\\w |<>/.:-]*") ? literal : variable(unescape(content), literals);
    }

    /** Makes a variable of a text and returns its name. */
    static String variable(String text, Map<String, String> literals) {
        String name = "literal__" + literals.size();
        literals.put(name, text);
        return name;
    }

    private static int nextString(String content, int from) {
        int i = from;
        while (i < content.length() && content.charAt(i) != '\'' && content.charAt(i) != '"') {
            i++;
        }
        return i;
    }

    /** Behind the closing quote of the string that begins at {@code start}, or the end where there is none. */
    static int endOfString(String content, int start) {
        for (int i = start + 1; i < content.length(); i++) {
            if (content.charAt(i) == '\\') {
                i++;
            } else if (content.charAt(i) == content.charAt(start)) {
                return i + 1;
            }
        }
        return content.length();
    }

    /** Where a top-level "if" begins, with the space before it. */
    private static int topLevelIf(String expression) {
        int depth = 0;
        for (int i = 0; i < expression.length(); i++) {
            switch (expression.charAt(i)) {
                case '(', '[', '{' -> depth++;
                case ')', ']', '}' -> depth--;
                case '\'', '"' -> i = endOfString(expression, i) - 1;
                default -> {
                    if (depth == 0 && expression.startsWith(" if ", i)) {
                        return i;
                    }
                }
            }
        }
        return -1;
    }

    /** Python's escapes; others stay as they are. */
    private static String unescape(String content) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < content.length(); i++) {
            char c = content.charAt(i);
            if (c != '\\' || i + 1 == content.length()) {
                text.append(c);
                continue;
            }
            char escape = content.charAt(++i);
            int digits = escape == 'u' ? 4 : escape == 'x' ? 2 : 0;
            if (digits > 0 && content.substring(i + 1).matches("(?s)[0-9a-fA-F]{" + digits + "}.*")) {
                text.append((char) Integer.parseInt(content.substring(i + 1, i + 1 + digits), 16));
                i += digits;
            } else {
                text.append(
                        switch (escape) {
                            case 'n' -> "\n";
                            case 't' -> "\t";
                            case 'r' -> "\r";
                            case '\\', '\'', '"' -> String.valueOf(escape);
                            case '\n' -> "";
                            default -> "\\" + escape;
                        });
            }
        }
        return text.toString();
    }
}
