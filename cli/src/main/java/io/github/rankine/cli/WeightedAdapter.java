package io.github.rankine.cli;

import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * An adapter and how much of it is wanted, as in {@code runs/french:0.7}.
 *
 * @param folder the adapter's
 * @param weight of its update
 */
record WeightedAdapter(Path folder, double weight) {
    /** Paths hold colons too, so only a number behind the last one is a weight. */
    private static final Pattern WEIGHTED = Pattern.compile(
            "(?<folder>.+):(?<weight>[+-]?(\\d+\\.?\\d*|\\.\\d+)(e[+-]?\\d+)?|[+-]?(nan|inf|infinity))",
            Pattern.CASE_INSENSITIVE);

    /** Reads {@code DIR:WEIGHT}, or {@code DIR} with a weight of 1. */
    static final class Converter implements ITypeConverter<WeightedAdapter> {
        @Override
        public WeightedAdapter convert(String text) {
            Matcher matcher = WEIGHTED.matcher(text);
            if (!matcher.matches()) {
                return new WeightedAdapter(Path.of(text), 1);
            }
            String weight = matcher.group("weight");
            double value =
                    Character.isLetter(weight.charAt(weight.length() - 1)) ? Double.NaN : Double.parseDouble(weight);
            if (!Double.isFinite(value)) {
                throw new TypeConversionException("'" + text + "': the weight " + weight + " is not a finite number");
            }
            return new WeightedAdapter(Path.of(matcher.group("folder")), value);
        }
    }
}
