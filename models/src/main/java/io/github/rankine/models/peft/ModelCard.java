package io.github.rankine.models.peft;

import io.github.rankine.engine.lora.AdapterWeights;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.prefix.PrefixConfig;
import io.github.rankine.models.files.AtomicFile;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.stream.Collectors;

/**
 * What an adapter's README.md tells beyond its configuration: front matter that the Hub reads, as in PEFT's own card,
 * and a page that says what the adapter is and how it came about.
 *
 * @param baseParameters parameters of the base model, if it was at hand
 * @param origin         how it came about: a section in Markdown
 */
public record ModelCard(OptionalLong baseParameters, String origin) {
    /** The file's name in an adapter's folder. */
    public static final String FILE = "README.md";

    /**
     * The card of an adapter that was trained.
     *
     * @param data     the training data, in words or as file names
     * @param steps    optimiser steps
     * @param tokens   tokens that went through the model
     * @param loss     mean loss per token at the end
     * @param evalLoss the same on held-out data, if there was any
     */
    public static ModelCard trained(
            long baseParameters, String data, long steps, long tokens, double loss, OptionalDouble evalLoss) {
        String evaluated = evalLoss.isPresent() ? format("- **Held-out loss:** %.4f\n", evalLoss.getAsDouble()) : "";
        return new ModelCard(
                OptionalLong.of(baseParameters), format("""
                    ## Training

                    - **Data:** %s
                    - **Steps:** %,d
                    - **Tokens:** %,d
                    - **Final loss:** %.4f
                    %s\
                    """, oneLine(data), steps, tokens, loss, evaluated));
    }

    /**
     * The card of an adapter that was extracted from a full fine-tune.
     *
     * @param tuned  the fine-tuned checkpoint
     * @param energy share of the update's energy that the adapter keeps
     */
    public static ModelCard extracted(long baseParameters, String tuned, double energy) {
        return new ModelCard(OptionalLong.of(baseParameters), format("""
            ## Extraction

            - **From:** %s, by truncated singular value decomposition of its difference from the base
            - **Energy kept:** %.2f %% of the adapted layers' update
            """, oneLine(tuned), 100 * energy));
    }

    /**
     * The card of an adapter that was made of several.
     *
     * @param parts  each of them with its weight
     * @param method how they were combined
     * @param energy share of the combined update's energy that the adapter keeps; empty where nothing was cut off
     */
    public static ModelCard combined(List<String> parts, String method, OptionalDouble energy) {
        return new ModelCard(
                OptionalLong.empty(),
                format(
                        """
                        ## Combination

                        - **Method:** %s
                        %s- **Energy kept:** %s
                        """,
                        method,
                        parts.stream()
                                .map(part -> "- **Of:** " + oneLine(part) + "\n")
                                .collect(Collectors.joining()),
                        energy.isPresent()
                                ? format("%.2f %% of the combined update", 100 * energy.getAsDouble())
                                : "all, the sum is exact"));
    }

    void write(Path file, PeftConfig config, AdapterWeights weights) {
        AtomicFile.writeText(file, text(config, weights));
    }

    private String text(PeftConfig config, AdapterWeights weights) {
        LoraConfig lora = config.lora();
        String facts = format(
                """
                - **Rank:** %d
                - **Alpha:** %s
                - **Scaling:** %s
                - **Dropout:** %s
                - **Target modules:** %s
                %s\
                """,
                lora.rank(),
                BigDecimal.valueOf(lora.alpha()).stripTrailingZeros().toPlainString(),
                lora.rslora() ? "alpha / sqrt(rank)" : "alpha / rank",
                lora.dropout(),
                oneLine(targets(lora.targetModules())),
                variants(config));
        facts += count("Trained parameters", weights.parameters());
        return text(config.baseModelNameOrPath().orElse(""), "lora", "LoRA adapter", facts);
    }

    /**
     * Writes the card of a prefix.
     *
     * @param stored elements of what is stored
     */
    void writePrefix(Path file, String base, PrefixConfig prefix, long stored) {
        String facts = "- **Virtual tokens:** " + prefix.virtualTokens() + "\n"
                + (prefix.hidden() == 0
                        ? ""
                        : "- **Trained through:** a perceptron of " + prefix.hidden()
                                + " hidden features, which is not stored\n");
        AtomicFile.writeText(file, text(base, "prefix-tuning", "Prefix", facts + count("Stored parameters", stored)));
    }

    private String count(String what, long parameters) {
        String share = baseParameters.isPresent()
                ? format(
                        " of %,d (%.4f %%)",
                        baseParameters.getAsLong(), 100.0 * parameters / baseParameters.getAsLong())
                : "";
        return format("- **%s:** %,d%s\n\n", what, parameters, share);
    }

    private String text(String base, String tag, String kind, String facts) {
        return format(
                """
                ---
                base_model: %s
                library_name: peft
                pipeline_tag: text-generation
                tags:
                - %s
                - %s
                - transformers
                ---

                # %s of %s

                ## Adapter

                %s\
                %s
                ## Use

                ```python
                from peft import PeftModel
                from transformers import AutoModelForCausalLM

                model = AutoModelForCausalLM.from_pretrained(%s)
                model = PeftModel.from_pretrained(model, "path/to/this/folder")
                ```

                Made with Rankine in the format of PEFT 0.21.
                """,
                yaml(base),
                yaml("base_model:adapter:" + base),
                tag,
                kind,
                base.isEmpty() ? "an unnamed model" : oneLine(base),
                facts,
                origin,
                '"' + oneLine(base).replace("\\", "\\\\").replace("\"", "\\\"") + '"');
    }

    /** What it has beyond plain LoRA, a line each. */
    private static String variants(PeftConfig config) {
        LoraConfig lora = config.lora();
        StringBuilder lines = new StringBuilder();
        config.baseQuantization()
                .ifPresent(type -> lines.append("- **Base during training:** its linear layers in ")
                        .append(type)
                        .append(", which it fits best\n"));
        if (lora.dora()) {
            lines.append("- **Magnitudes:** trained apart from directions (DoRA)\n");
        }
        if (lora.initialization().isPissa()) {
            lines.append("- **Base:** what is left of it without its principal components (PiSSA); PEFT takes them off"
                    + " when it loads the adapter\n");
        }
        if (!lora.modulesToSave().isEmpty()) {
            lines.append("- **Trained themselves:** ")
                    .append(oneLine(String.join(", ", lora.modulesToSave())))
                    .append('\n');
        }
        if (lora.bias() != LoraConfig.Bias.NONE) {
            lines.append("- **Biases trained:** ")
                    .append(lora.bias() == LoraConfig.Bias.ALL ? "all" : "of the adapted layers")
                    .append('\n');
        }
        return lines.toString();
    }

    private static String targets(ModuleSelector selector) {
        return switch (selector) {
            case ModuleSelector.AllLinear _ -> "all linear layers";
            case ModuleSelector.Suffixes suffixes -> String.join(", ", suffixes.names());
            case ModuleSelector.Expression expression -> expression.pattern().pattern();
        };
    }

    private static String yaml(String value) {
        return "'" + oneLine(value).replace("'", "''") + "'";
    }

    private static String oneLine(String text) {
        return text.replaceAll("\\p{Cntrl}+", " ");
    }

    private static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
