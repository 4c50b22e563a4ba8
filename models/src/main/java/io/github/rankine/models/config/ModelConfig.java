package io.github.rankine.models.config;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A model's shape: what config.json says, with the defaults that Transformers gives its family, in one vocabulary for
 * all families.
 *
 * @param family            which architecture
 * @param vocabSize         rows of the embedding
 * @param hiddenSize        width of the residual stream
 * @param intermediateSize  width inside a feed-forward block
 * @param layers            number of decoder blocks
 * @param heads             attention heads
 * @param kvHeads           heads of keys and values; divides {@code heads}
 * @param headDim           elements of a head
 * @param normEps           ε of RMSNorm or LayerNorm
 * @param rope              rotary embeddings; none where positions are learned
 * @param maxPositions      context length, in tokens
 * @param tieWordEmbeddings whether the output head is the input embedding
 * @param qkvBias           whether the query, key and value projections have a bias
 * @param outputBias        whether the attention's output projection has one
 * @param mlpBias           whether the feed-forward projections have one
 * @param activation        the feed-forward block's non-linearity
 * @param slidingWindows    for each layer how many positions a query sees, itself included; 0 for all before it
 * @param bosTokenId        the beginning-of-sequence token, if any
 * @param eosTokenIds       the tokens that end a sequence: generation_config.json's, otherwise config.json's
 * @param padTokenId        the padding token, if any
 * @param dtype             the type that the file says the weights have, if the engine has it; of a quantised model, those it was made of
 * @param quantization      how the linear layers' weights are quantised, if they are
 * @param json              the text of config.json
 */
public record ModelConfig(
        Family family,
        int vocabSize,
        int hiddenSize,
        int intermediateSize,
        int layers,
        int heads,
        int kvHeads,
        int headDim,
        double normEps,
        Optional<Rope> rope,
        int maxPositions,
        boolean tieWordEmbeddings,
        boolean qkvBias,
        boolean outputBias,
        boolean mlpBias,
        Activation activation,
        List<Integer> slidingWindows,
        OptionalInt bosTokenId,
        List<Integer> eosTokenIds,
        OptionalInt padTokenId,
        Optional<DType> dtype,
        Optional<QuantizedType> quantization,
        String json) {

    /** The file's name in a checkpoint's folder. */
    public static final String FILE = "config.json";

    /** The field that says how weights are quantised. */
    public static final String QUANTIZATION = "quantization_config";

    /** Far above any model there is; they keep every product of two sizes within a long. */
    public static final int MAX_POSITIONS = 1 << 28;

    public ModelConfig {
        slidingWindows = List.copyOf(slidingWindows);
        eosTokenIds = List.copyOf(eosTokenIds);
    }

    /**
     * Reads a config.json, with the generation_config.json beside it if there is one.
     *
     * @param path the file or the folder that holds it
     * @throws RankineException when a field is missing, of the wrong type, absurd, or asks for what Rankine has not
     */
    public static ModelConfig read(Path path) {
        Path file = Files.isDirectory(path) ? path.resolve(FILE) : path;
        if (!Files.exists(file)) {
            throw new RankineException(
                    file + ": no such file; expected a checkpoint's folder with its " + FILE + ", or that file");
        }
        String text = Json.readText(file);
        Path generation = file.resolveSibling("generation_config.json");
        Optional<JsonObject> generationConfig =
                Files.exists(generation) ? Optional.of(Json.readObject(generation)) : Optional.empty();
        return new ModelConfigReader(Json.parseObject(text, file.toString()), generationConfig).read(text);
    }

    /** The name that config.json has for a type: PyTorch's. */
    public static String typeName(DType type) {
        return switch (type) {
            case F32 -> "float32";
            case BF16 -> "bfloat16";
            case F16 -> "float16";
        };
    }

    /**
     * The text of config.json for weights stored as {@code type}: the field that names the type changed, what says that they are quantised
     * taken out, all else kept.
     */
    public String jsonWithDtype(DType type) {
        ObjectNode node = Json.parseObject(json, FILE).toNode();
        node.remove(QUANTIZATION);
        String name = typeName(type);
        // transformers 4 reads torch_dtype alone, and 5 reads it where there is no dtype.
        if (node.has("torch_dtype") || !node.has("dtype")) {
            node.put("torch_dtype", name);
        }
        if (node.has("dtype")) {
            node.put("dtype", name);
        }
        return Json.write(node) + "\n";
    }

    /** Whether any layer's attention sees only a window. */
    public boolean hasSlidingWindow() {
        return slidingWindows.stream().anyMatch(window -> window > 0);
    }
}
