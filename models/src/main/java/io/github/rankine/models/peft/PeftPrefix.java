package io.github.rankine.models.peft;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.prefix.Prefix;
import io.github.rankine.engine.prefix.PrefixConfig;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.files.AtomicFile;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import io.github.rankine.models.safetensors.SafetensorsFile;
import io.github.rankine.models.safetensors.SafetensorsWriter;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A prefix in PEFT's format (peft_type PREFIX_TUNING): one tensor {@code prompt_embeddings}, {@code [virtual tokens, 2 · layers · kvHeads ·
 * headDim]}, of each layer the keys, then the values. What a perceptron made is stored as it came out; the perceptron is not.
 */
public final class PeftPrefix {
    /** Where a prefix lies in the folder of an adapter that it was trained with. */
    public static final String FOLDER = "prefix";

    private static final String TYPE = "PREFIX_TUNING";
    private static final String TENSOR = "prompt_embeddings";

    private PeftPrefix() {}

    /** Whether a folder holds one. */
    public static boolean isPrefix(Path folder) {
        Path config = folder.resolve(PeftConfig.FILE);
        return Files.exists(config)
                && Json.readObject(config).string("peft_type", "").equals(TYPE);
    }

    /** The folder of the prefix that was trained in one run with an adapter, if there is one in the adapter's. */
    public static Optional<Path> beside(Path adapter) {
        return Optional.of(adapter.resolve(FOLDER)).filter(PeftPrefix::isPrefix);
    }

    /**
     * The prefix in a folder, copied to {@code arena}.
     *
     * @throws RankineException when a file is missing or damaged, or the two disagree
     */
    public static Prefix read(Path folder, Arena arena) {
        JsonObject config = Json.readObject(folder.resolve(PeftConfig.FILE));
        if (!config.string("task_type", "CAUSAL_LM").equals("CAUSAL_LM")) {
            throw config.unexpected("task_type", "CAUSAL_LM");
        }
        int tokens = config.integer("num_virtual_tokens", 1, ModelConfig.MAX_POSITIONS);
        int layers = config.integer("num_layers", 1, 1 << 12);
        int width = config.integer("token_dim", 1, 1 << 22);
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve(PeftAdapter.WEIGHTS))) {
            Weight rows = file.weight(TENSOR);
            if (rows.rows() != tokens || rows.cols() != 2L * layers * width) {
                throw new RankineException(file.path() + ": tensor '" + TENSOR + "': [" + rows.rows() + ", "
                        + rows.cols() + "], expected [" + tokens + ", " + 2L * layers * width + "] by "
                        + PeftConfig.FILE + "; do they belong together?");
            }
            return new Prefix.Flat(
                    new Parameter("prefix." + TENSOR, rows.toTensor(arena).asWeight()));
        }
    }

    /**
     * Writes a prefix's folder, made if need be, each of its files replaced whole.
     *
     * @param rows   {@code [virtual tokens, 2 · layers · kvHeads · headDim]}
     * @param prefix what it was trained as
     * @param model  what it is for
     * @param base   the model's name or folder
     * @throws RankineException when a file cannot be written; it is then as it was
     */
    public static void write(
            Path folder, Tensor rows, PrefixConfig prefix, ModelConfig model, Optional<String> base, ModelCard card) {
        AtomicFile.createFolder(folder);
        SafetensorsWriter.write(
                folder.resolve(PeftAdapter.WEIGHTS),
                Map.of("format", "pt"),
                List.of(SafetensorsWriter.Entry.of(TENSOR, rows)));
        int width = model.kvHeads() * model.headDim();
        ObjectNode node = Json.mapper().createObjectNode();
        node.putNull("auto_mapping");
        node.put("base_model_name_or_path", base.orElse(null));
        node.put("encoder_hidden_size", prefix.hidden() == 0 ? width : prefix.hidden());
        node.put("inference_mode", true);
        node.putNull("init_weights");
        node.putNull("modules_to_save");
        node.put("num_attention_heads", model.kvHeads());
        node.put("num_layers", model.layers());
        node.put("num_transformer_submodules", 1);
        node.put("num_virtual_tokens", prefix.virtualTokens());
        node.put("peft_type", TYPE);
        node.put("peft_version", PeftConfig.defaults().get("peft_version").textValue());
        node.put("prefix_projection", prefix.hidden() > 0);
        node.putNull("revision");
        node.put("task_type", "CAUSAL_LM");
        node.put("token_dim", width);
        AtomicFile.writeText(folder.resolve(PeftConfig.FILE), Json.write(node));
        card.writePrefix(folder.resolve(ModelCard.FILE), base.orElse(""), prefix, rows.size());
    }
}
