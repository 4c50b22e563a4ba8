package io.github.rankine.models.config;

import io.github.rankine.models.json.JsonObject;
import java.util.Optional;

/**
 * How rotary position embeddings turn (Su et al. 2021), as {@code rope_parameters} of transformers 5 says, or
 * {@code rope_theta} and {@code rope_scaling} of transformers 4.
 *
 * @param type                          which frequencies
 * @param theta                         base of the wavelengths
 * @param factor                        by how much the context is stretched; 1 for {@link Type#DEFAULT}
 * @param lowFreqFactor                 llama3: wavelengths over original length / this are stretched in full; else 0
 * @param highFreqFactor                llama3: wavelengths under original length / this are kept; else 0
 * @param originalMaxPositionEmbeddings llama3: the context length that was pretrained, in tokens; else 0
 */
public record Rope(
        Type type,
        double theta,
        double factor,
        double lowFreqFactor,
        double highFreqFactor,
        int originalMaxPositionEmbeddings) {

    /** Which frequencies the embeddings turn with. */
    public enum Type {
        /** theta^(−2i/d) */
        DEFAULT,
        /** The default ones divided by the factor. */
        LINEAR,
        /** Llama 3.1's: long wavelengths divided by the factor, short ones kept, a smooth passage between. */
        LLAMA3
    }

    private static final double DEFAULT_THETA = 10_000;
    private static final double MAX_FACTOR = 1e6;

    /** The plain embeddings. */
    public static Rope of(double theta) {
        return new Rope(Type.DEFAULT, theta, 1, 0, 0, 0);
    }

    static Rope read(JsonObject config, int maxPositions) {
        double outerTheta = theta(config, DEFAULT_THETA);
        refusePartial(config);
        // Transformers prefers rope_scaling where a file has both.
        Optional<JsonObject> parameters =
                config.object("rope_scaling").filter(o -> !o.names().isEmpty());
        if (parameters.isEmpty()) {
            parameters = config.object("rope_parameters");
        }
        if (parameters.isEmpty()) {
            return of(outerTheta);
        }
        JsonObject rope = parameters.get();
        double theta = theta(rope, outerTheta);
        refusePartial(rope);
        String field = rope.has("rope_type") ? "rope_type" : "type";
        return switch (rope.string(field, "default")) {
            case "default" -> of(theta);
            case "linear" -> new Rope(Type.LINEAR, theta, rope.number("factor", 1, MAX_FACTOR), 0, 0, 0);
            case "llama3" -> llama3(config, rope, theta, maxPositions);
            default -> throw rope.unexpected(field, "a rope type that Rankine has: default, linear or llama3");
        };
    }

    private static Rope llama3(JsonObject config, JsonObject rope, double theta, int maxPositions) {
        double low = rope.number("low_freq_factor", Double.MIN_VALUE, MAX_FACTOR);
        double high = rope.number("high_freq_factor", Double.MIN_VALUE, MAX_FACTOR);
        if (high <= low) {
            throw rope.unexpected("high_freq_factor", "more than low_freq_factor, " + low);
        }
        String field = "original_max_position_embeddings";
        int original = rope.integer(field, 1, ModelConfig.MAX_POSITIONS, maxPositions);
        return new Rope(
                Type.LLAMA3,
                theta,
                rope.number("factor", 1, MAX_FACTOR),
                low,
                high,
                config.integer(field, 1, ModelConfig.MAX_POSITIONS, original));
    }

    private static double theta(JsonObject object, double absent) {
        return object.number("rope_theta", 1, 1e15, absent);
    }

    private static void refusePartial(JsonObject object) {
        if (object.number("partial_rotary_factor", 0, 1, 1) != 1) {
            throw object.unexpected("partial_rotary_factor", "1, for Rankine turns whole heads only");
        }
    }
}
