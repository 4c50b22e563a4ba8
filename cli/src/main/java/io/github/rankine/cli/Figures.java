package io.github.rankine.cli;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Locale;

/** Numbers as people read them. */
final class Figures {
    private static final String[] THOUSANDS = {"", "K", "M", "B", "T"};
    private static final String[] BINARY = {"bytes", "KiB", "MiB", "GiB", "TiB"};

    private Figures() {}

    /** A count with four significant digits, as in 18.87M. */
    static String count(long n) {
        return n < 1000 ? Long.toString(n) : scaled(n, 1000, THOUSANDS, "");
    }

    /** A size with four significant digits, as in 326.3 GiB. */
    static String bytes(long n) {
        return n < 1024 ? n + " bytes" : scaled(n, 1024, BINARY, " ");
    }

    /** A count in full, as in 18,874,368. */
    static String exact(long n) {
        return String.format(Locale.ROOT, "%,d", n);
    }

    /** A share in per cent with four significant digits, as in 0.01078 %. */
    static String share(long part, long whole) {
        return significant(100.0 * part / whole) + " %";
    }

    private static String scaled(double value, int base, String[] units, String space) {
        int unit = 0;
        // What would round to a whole next unit is one.
        while (unit < units.length - 1 && value >= base * 0.99995) {
            value /= base;
            unit++;
        }
        return significant(value) + space + units[unit];
    }

    private static String significant(double value) {
        // Rounded first, for that may carry into one digit more.
        double rounded = new BigDecimal(value).round(new MathContext(4)).doubleValue();
        int whole = rounded == 0 ? 0 : (int) Math.floor(Math.log10(rounded));
        return String.format(Locale.ROOT, "%." + Math.clamp(3 - whole, 0, 9) + "f", rounded);
    }
}
