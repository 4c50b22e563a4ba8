package io.github.rankine.models.peft;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.models.files.AtomicFile;
import io.github.rankine.models.json.Json;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * PEFT's {@code adapter_config.json} for a LoRA adapter of a causal language model.
 *
 * @param lora                what the engine needs
 * @param baseModelNameOrPath the model that the adapter was trained over: a name on the Hub or a folder
 * @param fanInFanOut         whether the base stores its linear weights {@code [in, out]}, as GPT-2's Conv1D does
 * @param baseQuantization    how the base's linear layers were quantised while the adapter was trained, if they were; PEFT has no field
 *     for it, so that it stands in the metadata of the tensors' file
 */
public record PeftConfig(
        LoraConfig lora,
        Optional<String> baseModelNameOrPath,
        boolean fanInFanOut,
        Optional<QuantizedType> baseQuantization) {
    /** The file's name in an adapter's folder. */
    public static final String FILE = "adapter_config.json";

    /**
     * Reads an adapter_config.json, with PEFT's defaults for what is absent.
     *
     * @throws RankineException when it is malformed, or asks for what Rankine has not
     */
    public static PeftConfig read(Path file) {
        return new PeftConfigReader(Json.readObject(file)).read();
    }

    PeftConfig withBaseQuantization(Optional<QuantizedType> quantization) {
        return new PeftConfig(lora, baseModelNameOrPath, fanInFanOut, quantization);
    }

    /**
     * Writes it as PEFT does, every field with keys sorted. Like PEFT, it names the modules that {@code all-linear} came
     * to, since other readers take nothing else.
     *
     * @param modules full names of the modules that have an adapter
     */
    void write(Path file, Collection<String> modules) {
        ObjectNode node = defaults();
        baseModelNameOrPath.ifPresent(base -> node.put("base_model_name_or_path", base));
        node.put("fan_in_fan_out", fanInFanOut);
        node.put("r", lora.rank());
        putNumber(node, "lora_alpha", lora.alpha());
        node.put("lora_dropout", lora.dropout());
        node.put("use_rslora", lora.rslora());
        node.put("use_dora", lora.dora());
        node.put("bias", lora.bias().name().toLowerCase(Locale.ROOT));
        if (lora.initialization().isPissa()) {
            node.put("init_lora_weights", lora.initialization().name());
        }
        if (!lora.modulesToSave().isEmpty()) {
            lora.modulesToSave().forEach(node.putArray("modules_to_save")::add);
        }
        node.set("target_modules", selector(lora.targetModules(), modules));
        if (lora.excludeModules() != null) {
            node.set("exclude_modules", selector(lora.excludeModules(), modules));
        }
        if (!lora.layersToTransform().isEmpty()) {
            lora.layersToTransform().forEach(node.putArray("layers_to_transform")::add);
        }
        if (!lora.layersPattern().isEmpty()) {
            lora.layersPattern().forEach(node.putArray("layers_pattern")::add);
        }
        // Not sorted: the first pattern that matches wins.
        ObjectNode ranks = node.putObject("rank_pattern");
        lora.rankPattern().forEach(ranks::put);
        ObjectNode alphas = node.putObject("alpha_pattern");
        lora.alphaPattern().forEach((pattern, alpha) -> putNumber(alphas, pattern, alpha));
        AtomicFile.writeText(file, Json.write(node));
    }

    /** Every field that PEFT 0.21 writes, with its default. */
    static ObjectNode defaults() {
        try (InputStream in = PeftConfig.class.getResourceAsStream(FILE)) {
            return Json.parseObject(new String(in.readAllBytes(), StandardCharsets.UTF_8), FILE)
                    .toNode();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static JsonNode selector(ModuleSelector selector, Collection<String> modules) {
        return switch (selector) {
            case ModuleSelector.Suffixes(List<String> names) -> Json.mapper().valueToTree(names);
            case ModuleSelector.Expression expression ->
                Json.mapper().getNodeFactory().textNode(expression.pattern().pattern());
            case ModuleSelector.AllLinear _ ->
                Json.mapper()
                        .valueToTree(modules.stream()
                                .map(PeftConfig::lastPart)
                                .distinct()
                                .sorted()
                                .toList());
        };
    }

    private static String lastPart(String module) {
        return module.substring(module.lastIndexOf('.') + 1);
    }

    /** Whole numbers as integers, as PEFT's users write α. */
    private static void putNumber(ObjectNode node, String field, double value) {
        if (value == Math.rint(value) && Math.abs(value) < 1e15) {
            node.put(field, (long) value);
        } else {
            node.put(field, value);
        }
    }
}
