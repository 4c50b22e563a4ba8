package io.github.rankine.models.chat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import jinjava.javax.el.ELContext;
import jinjava.javax.el.ELResolver;

/** The methods of Python's {@code str} that templates call, and characters by index. */
final class PythonStrings extends ELResolver {
    @Override
    public Object invoke(ELContext context, Object base, Object method, Class<?>[] types, Object[] arguments) {
        if (!(base instanceof CharSequence chars) || arguments == null) {
            return null;
        }
        String text = chars.toString();
        String first = arguments.length > 0 && arguments[0] != null ? arguments[0].toString() : null;
        Object result = switch (method.toString()) {
            case "strip" -> stripLeft(stripRight(text, first), first);
            case "lstrip" -> stripLeft(text, first);
            case "rstrip" -> stripRight(text, first);
            case "startswith" -> any(arguments[0]).stream().anyMatch(text::startsWith);
            case "endswith" -> any(arguments[0]).stream().anyMatch(text::endsWith);
            case "removeprefix" -> text.startsWith(first) ? text.substring(first.length()) : text;
            case "removesuffix" -> text.endsWith(first) ? text.substring(0, text.length() - first.length()) : text;
            case "split" -> split(text, first, arguments.length > 1 ? number(arguments[1]) : -1);
            case "splitlines" -> text.lines().toList();
            case "join" -> String.join(text, any(arguments[0]));
            case "replace" -> text.replace(first, arguments[1].toString());
            case "find" -> (long) text.indexOf(first);
            case "rfind" -> (long) text.lastIndexOf(first);
            case "count" -> (long) (text.split(Pattern.quote(first), -1).length - 1);
            case "lower" -> text.toLowerCase(Locale.ROOT);
            case "upper" -> text.toUpperCase(Locale.ROOT);
            case "capitalize" -> capitalize(text);
            case "title" -> Pattern.compile("\\p{L}+").matcher(text).replaceAll(word -> capitalize(word.group()));
            case "isdigit" -> !text.isEmpty() && text.chars().allMatch(Character::isDigit);
            default -> null;
        };
        context.setPropertyResolved(result != null);
        return result;
    }

    @Override
    public Object getValue(ELContext context, Object base, Object property) {
        if (base instanceof CharSequence text && property.toString().matches("-?\\d{1,9}")) {
            int number = Integer.parseInt(property.toString());
            int[] characters = text.codePoints().toArray();
            int index = number < 0 ? number + characters.length : number;
            if (index >= 0 && index < characters.length) {
                context.setPropertyResolved(true);
                return Character.toString(characters[index]);
            }
        }
        return null;
    }

    @Override
    public Class<?> getType(ELContext context, Object base, Object property) {
        return null;
    }

    @Override
    public void setValue(ELContext context, Object base, Object property, Object value) {}

    @Override
    public boolean isReadOnly(ELContext context, Object base, Object property) {
        return true;
    }

    @Override
    public java.util.Iterator<java.beans.FeatureDescriptor> getFeatureDescriptors(ELContext context, Object base) {
        return null;
    }

    @Override
    public Class<?> getCommonPropertyType(ELContext context, Object base) {
        return null;
    }

    private static boolean strips(char c, String characters) {
        return characters == null ? Character.isWhitespace(c) || c == '\u00A0' : characters.indexOf(c) >= 0;
    }

    private static String stripLeft(String text, String characters) {
        int start = 0;
        while (start < text.length() && strips(text.charAt(start), characters)) {
            start++;
        }
        return text.substring(start);
    }

    private static String stripRight(String text, String characters) {
        int end = text.length();
        while (end > 0 && strips(text.charAt(end - 1), characters)) {
            end--;
        }
        return text.substring(0, end);
    }

    private static List<String> split(String text, String separator, int maxSplit) {
        String[] parts = separator == null
                ? text.strip().isEmpty() ? new String[0] : text.strip().split("\\s+", maxSplit + 1)
                : text.split(Pattern.quote(separator), maxSplit < 0 ? -1 : maxSplit + 1);
        return new ArrayList<>(Arrays.asList(parts));
    }

    private static String capitalize(String text) {
        return text.isEmpty()
                ? text
                : text.substring(0, 1).toUpperCase(Locale.ROOT)
                        + text.substring(1).toLowerCase(Locale.ROOT);
    }

    private static List<String> any(Object value) {
        List<String> values = new ArrayList<>();
        if (value instanceof Iterable<?> items) {
            items.forEach(item -> values.add(String.valueOf(item)));
        } else {
            values.add(String.valueOf(value));
        }
        return values;
    }

    private static int number(Object value) {
        return value instanceof Number number ? number.intValue() : -1;
    }
}
