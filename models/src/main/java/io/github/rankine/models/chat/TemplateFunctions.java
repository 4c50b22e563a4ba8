package io.github.rankine.models.chat;

import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;

/** The functions that Transformers gives to chat templates. Public for Jinjava, which calls them by reflection. */
public final class TemplateFunctions {
    private TemplateFunctions() {}

    /** What a template says with {@code raise_exception}. */
    static final class RaisedException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        RaisedException(String message) {
            super(message);
        }
    }

    static List<ELFunctionDefinition> all() {
        return List.of(
                new ELFunctionDefinition(
                        "", "raise_exception", TemplateFunctions.class, "raiseException", Object.class),
                new ELFunctionDefinition("", "strftime_now", TemplateFunctions.class, "strftimeNow", String.class));
    }

    /** Ends the rendering with a message. */
    public static Object raiseException(Object message) {
        throw new RaisedException(String.valueOf(message));
    }

    /** The local time, in a format of C's {@code strftime}. */
    public static String strftimeNow(String format) {
        return strftime(format, ZonedDateTime.now());
    }

    static String strftime(String format, ZonedDateTime time) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < format.length(); i++) {
            if (format.charAt(i) != '%' || i + 1 == format.length()) {
                text.append(format.charAt(i));
                continue;
            }
            boolean unpadded = format.charAt(i + 1) == '-' && i + 2 < format.length();
            i += unpadded ? 2 : 1;
            String pattern = pattern(format.charAt(i));
            String value = pattern == null
                    ? "%".equals(format.substring(i, i + 1)) ? "%" : "%" + format.charAt(i)
                    : DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(time);
            text.append(unpadded ? value.replaceFirst("^0+(?=.)", "") : value);
        }
        return text.toString();
    }

    private static String pattern(char directive) {
        return switch (directive) {
            case 'd' -> "dd";
            case 'm' -> "MM";
            case 'Y' -> "yyyy";
            case 'y' -> "yy";
            case 'b' -> "MMM";
            case 'B' -> "MMMM";
            case 'a' -> "EEE";
            case 'A' -> "EEEE";
            case 'j' -> "DDD";
            case 'H' -> "HH";
            case 'I' -> "hh";
            case 'p' -> "a";
            case 'M' -> "mm";
            case 'S' -> "ss";
            case 'F' -> "yyyy-MM-dd";
            case 'T' -> "HH:mm:ss";
            default -> null;
        };
    }
}
