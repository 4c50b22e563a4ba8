package io.github.rankine.models.peft;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.Initialization;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.models.json.JsonObject;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads adapter_config.json, and refuses by name what changes the computation in a way that Rankine has not. */
final class PeftConfigReader {
    private static final Logger LOG = LoggerFactory.getLogger(PeftConfigReader.class);
    private static final int MAX_RANK = 1 << 20;
    private static final double MAX_ALPHA = 1e9;

    /** Fields that turn a variant on when they are true, or neither null nor empty. */
    private static final Map<String, String> VARIANTS = Map.ofEntries(
            Map.entry("use_qalora", "QALoRA"),
            Map.entry("use_bdlora", "BD-LoRA"),
            Map.entry("lora_bias", "a bias on B"),
            Map.entry("trainable_token_indices", "trainable tokens"),
            Map.entry("target_parameters", "adapters on bare parameters"),
            Map.entry("alora_invocation_tokens", "activated LoRA"),
            Map.entry("layer_replication", "replicated layers"),
            Map.entry("arrow_config", "Arrow routing"),
            Map.entry("kasa_config", "KaSA"),
            Map.entry("velora_config", "VeLoRA"),
            Map.entry("monteclora_config", "MonteCLoRA"),
            Map.entry("megatron_config", "Megatron's parallel layers"));

    /** Initial values that leave the base's weights alone; of those that subtract something from them, there is PiSSA. */
    private static final Set<String> INITIALISATIONS = Set.of("true", "false", "gaussian", "eva", "orthogonal", "mica");

    private final JsonObject config;

    PeftConfigReader(JsonObject config) {
        this.config = config;
    }

    PeftConfig read() {
        if (!config.string("peft_type").equals("LORA")) {
            throw config.unexpected(
                    "peft_type", "LORA; a prefix cannot be merged, combined or exported, but used with --adapter");
        }
        if (!config.string("task_type", "CAUSAL_LM").equals("CAUSAL_LM")) {
            throw config.unexpected("task_type", "CAUSAL_LM");
        }
        refuseVariants();
        warnOfUnknownFields();
        LoraConfig lora = lora();
        return new PeftConfig(
                lora,
                Optional.ofNullable(config.string("base_model_name_or_path", null)),
                config.flag("fan_in_fan_out", false),
                Optional.empty());
    }

    private LoraConfig lora() {
        int rank = config.integer("r", 1, MAX_RANK, 8);
        double alpha = config.number("lora_alpha", Double.MIN_VALUE, MAX_ALPHA, 8);
        double dropout = config.number("lora_dropout", 0, 1, 0);
        ModuleSelector targets = selector("target_modules")
                .orElseThrow(() -> config.unexpected("target_modules", "a list of module names or an expression"));
        ModuleSelector excluded = selector("exclude_modules").orElse(null);
        List<Integer> layers = config.integers("layers_to_transform", 0, Integer.MAX_VALUE);
        Map<String, Integer> ranks = config.integerMap("rank_pattern", 1, MAX_RANK);
        Map<String, Double> alphas = config.numberMap("alpha_pattern", Double.MIN_VALUE, MAX_ALPHA);
        List<String> layersPattern = layersPattern();
        boolean rslora = config.flag("use_rslora", false);
        boolean dora = config.flag("use_dora", false);
        Initialization initialization = initialization();
        List<String> saved = config.strings("modules_to_save");
        LoraConfig.Bias bias = bias();
        try {
            return new LoraConfig(
                    rank,
                    alpha,
                    dropout,
                    targets,
                    excluded,
                    layers,
                    layersPattern,
                    ranks,
                    alphas,
                    rslora,
                    dora,
                    initialization,
                    saved,
                    bias);
        } catch (RankineException e) {
            throw new RankineException(config.source() + ": " + e.getMessage(), e);
        }
    }

    private void refuseVariants() {
        VARIANTS.forEach((field, what) -> {
            if (isOn(config.get(field))) {
                throw config.error(
                        field, "not supported (" + what + "); train the adapter as plain LoRA, without " + field);
            }
        });
    }

    private LoraConfig.Bias bias() {
        return switch (config.string("bias", "none")) {
            case "none" -> LoraConfig.Bias.NONE;
            case "lora_only" -> LoraConfig.Bias.LORA_ONLY;
            case "all" -> LoraConfig.Bias.ALL;
            default -> throw config.unexpected("bias", "none, lora_only or all");
        };
    }

    private Initialization initialization() {
        JsonNode initial = config.get("init_lora_weights");
        String name = initial == null ? "true" : initial.asText().toLowerCase(Locale.ROOT);
        Initialization initialization = new Initialization(name);
        if (!initialization.isPissa() && !INITIALISATIONS.contains(name)) {
            throw config.unexpected(
                    "init_lora_weights",
                    "PiSSA, or one that keeps the base model's weights as they are; save the adapter in PEFT as plain"
                            + " LoRA, with path_initial_model_for_weight_conversion");
        }
        return initialization;
    }

    private static boolean isOn(JsonNode value) {
        return value != null
                && (value.isContainerNode() ? !value.isEmpty() : !value.isBoolean() || value.booleanValue());
    }

    private void warnOfUnknownFields() {
        Set<String> unknown = new HashSet<>(config.names());
        PeftConfig.defaults().fieldNames().forEachRemaining(unknown::remove);
        unknown.remove("runtime_config");
        if (!unknown.isEmpty()) {
            LOG.warn("{}: fields that PEFT 0.21 does not have are ignored: {}", config.source(), unknown);
        }
    }

    private Optional<ModuleSelector> selector(String field) {
        JsonNode value = config.get(field);
        if (value == null) {
            return Optional.empty();
        }
        if (!value.isTextual()) {
            List<String> names = config.strings(field);
            return names.isEmpty() ? Optional.empty() : Optional.of(new ModuleSelector.Suffixes(names));
        }
        if (value.textValue().toLowerCase(Locale.ROOT).equals("all-linear")) {
            return Optional.of(new ModuleSelector.AllLinear());
        }
        return Optional.of(expression(field, value.textValue()));
    }

    private ModuleSelector expression(String field, String expression) {
        try {
            return new ModuleSelector.Expression(Pattern.compile(expression));
        } catch (PatternSyntaxException e) {
            throw config.error(field, "'" + expression + "' is not a regular expression: " + e.getDescription());
        }
    }

    private List<String> layersPattern() {
        JsonNode value = config.get("layers_pattern");
        return value != null && value.isTextual() ? List.of(value.textValue()) : config.strings("layers_pattern");
    }
}
