package io.github.rankine.cli;

import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** How adapters are made one, by PEFT's names. */
enum CombineMethod {
    /** The weighted sum exactly, ranks added. */
    CAT,
    /** The weighted sum, cut to a rank. */
    SVD,
    /** TIES-Merging of the updates, cut to a rank. */
    TIES_SVD,
    /** DARE's weighted sum of the updates, cut to a rank. */
    DARE_LINEAR_SVD;

    /** Whether it thins the updates out, which takes a density. */
    boolean thins() {
        return this == TIES_SVD || this == DARE_LINEAR_SVD;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The names that PEFT's {@code add_weighted_adapter} has for them. */
    static final class Name implements ITypeConverter<CombineMethod> {
        @Override
        public CombineMethod convert(String name) {
            return switch (name) {
                case "cat" -> CAT;
                case "svd" -> SVD;
                case "ties_svd" -> TIES_SVD;
                case "dare_linear_svd" -> DARE_LINEAR_SVD;
                case "linear" -> throw separate(name, "svd or cat");
                case "ties" -> throw separate(name, "ties_svd");
                case "dare_linear" -> throw separate(name, "dare_linear_svd");
                default ->
                    throw new TypeConversionException(
                            "'" + name + "' is not one of cat, svd, ties_svd, dare_linear_svd");
            };
        }

        private static TypeConversionException separate(String name, String instead) {
            return new TypeConversionException("'" + name
                    + "' adds the A's and the B's each by themselves, and the product of sums is not the sum of the"
                    + " updates B·A; use " + instead);
        }
    }
}
