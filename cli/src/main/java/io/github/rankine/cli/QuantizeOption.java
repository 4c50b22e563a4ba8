package io.github.rankine.cli;

import io.github.rankine.engine.tensor.QuantizedType;
import java.util.Optional;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** In how many bits the base's frozen weights are held. */
final class QuantizeOption {
    @Option(
            names = "--quantize",
            paramLabel = "nf4|int8",
            converter = Name.class,
            description =
                    "Hold the linear layers' weights, but for the output head's, in 4 bits (nf4, as QLoRA does) or in 8"
                            + " (int8); they are quantised as the model is loaded.")
    private QuantizedType type;

    Optional<QuantizedType> type() {
        return Optional.ofNullable(type);
    }

    /** Refuses the option where weights are trained. */
    void refuseFor(String option, CommandSpec command) {
        if (type != null) {
            throw Usage.wrong(
                    command, "--quantize is for frozen weights, and " + option + " trains them: leave one out");
        }
    }

    /** The name on the command line. */
    static String name(QuantizedType type) {
        return switch (type) {
            case NF4 -> "nf4";
            case INT8 -> "int8";
        };
    }

    static final class Name implements ITypeConverter<QuantizedType> {
        @Override
        public QuantizedType convert(String name) {
            return switch (name) {
                case "nf4" -> QuantizedType.NF4;
                case "int8" -> QuantizedType.INT8;
                default -> throw new TypeConversionException("'" + name + "' is neither nf4 nor int8");
            };
        }
    }
}
