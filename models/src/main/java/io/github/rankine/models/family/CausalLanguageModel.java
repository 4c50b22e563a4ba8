package io.github.rankine.models.family;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.tensor.QuantizedWeight;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.files.AtomicFile;
import io.github.rankine.models.safetensors.Checkpoint;
import io.github.rankine.models.safetensors.SafetensorsWriter;
import io.github.rankine.models.safetensors.StoredType;
import io.github.rankine.models.safetensors.TensorInfo;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A model: its configuration, its decoder, and the checkpoint that the decoder's weights are mapped from, if they are.
 *
 * <pre>{@code
 * try (CausalLanguageModel model = CausalLanguageModel.open(Path.of("my-model"))) {
 *     model.decoder() …
 * }
 * }</pre>
 */
public final class CausalLanguageModel implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(CausalLanguageModel.class);

    /** Module name of the output head. */
    public static final String HEAD = "lm_head";

    private final ModelConfig config;
    private final Decoder decoder;
    private final Checkpoint checkpoint;
    private final Arena quantized;

    private CausalLanguageModel(ModelConfig config, WeightSource source, Checkpoint checkpoint, Arena quantized) {
        this.config = config;
        this.decoder = new DecoderAssembler(config, source).assemble();
        this.checkpoint = checkpoint;
        this.quantized = quantized;
    }

    private CausalLanguageModel(ModelConfig config, WeightSource source) {
        this(config, source, null, Arena.global());
    }

    /**
     * Maps the checkpoint in a folder.
     *
     * @throws io.github.rankine.engine.RankineException when config.json or a tensor is missing or not what it should be
     */
    public static CausalLanguageModel open(Path folder) {
        return open(folder, (checkpoint, names, _) -> WeightSource.of(checkpoint, names));
    }

    /**
     * The same with the linear layers' weights but the head's quantised, one at a time, so that the model is never in memory whole.
     *
     * @param type how; none leaves them as they are
     * @throws io.github.rankine.engine.RankineException when the checkpoint is quantised already, or a weight is not a finite number, too
     */
    public static CausalLanguageModel open(Path folder, Optional<QuantizedType> type) {
        if (type.isEmpty()) {
            return open(folder);
        }
        requireDense(folder, "leave out --quantize");
        return open(
                folder, (checkpoint, names, arena) -> WeightSource.quantizing(checkpoint, names, type.get(), arena));
    }

    private static void requireDense(Path folder, String remedy) {
        ModelConfig.read(folder).quantization().ifPresent(type -> {
            throw new RankineException(folder + ": its weights are quantised already, as " + type + ": " + remedy);
        });
    }

    /**
     * The same with every weight copied to float32 in {@code arena}, so that all of them can be trained.
     *
     * @throws io.github.rankine.engine.RankineException when config.json or a tensor is missing or not what it should be
     */
    public static CausalLanguageModel openForTraining(Path folder, Arena arena) {
        requireDense(folder, "train the weights of the original checkpoint");
        return open(
                folder,
                (checkpoint, names, _) -> WeightSource.of(checkpoint, names).copiedTo(arena));
    }

    /** Chooses where an opened model's weights come from. */
    @FunctionalInterface
    private interface Opening {
        WeightSource source(Checkpoint checkpoint, TensorNames names, Arena arena);
    }

    private static CausalLanguageModel open(Path folder, Opening opening) {
        ModelConfig config = ModelConfig.read(folder);
        Checkpoint checkpoint = Checkpoint.open(folder);
        Arena quantized = Arena.ofShared();
        try {
            refuseTwoHeads(config, checkpoint, folder);
            warnOfMoreLayers(config, checkpoint, folder);
            TensorNames names = TensorNames.of(checkpoint, DecoderAssembler.prefix(config));
            WeightSource source = opening.source(checkpoint, names, quantized);
            return new CausalLanguageModel(config, source, checkpoint, quantized);
        } catch (RuntimeException e) {
            quantized.close();
            checkpoint.close();
            throw e;
        }
    }

    private static void warnOfMoreLayers(ModelConfig config, Checkpoint checkpoint, Path folder) {
        String next = "." + config.layers() + ".";
        checkpoint.tensors().stream()
                .map(TensorInfo::name)
                .filter(name -> name.contains(next))
                .findFirst()
                .ifPresent(name -> LOG.warn(
                        "{}: {} layers by config.json, but the checkpoint holds {}: what is beyond is not used",
                        folder,
                        config.layers(),
                        name));
    }

    /** Some would take the head that is there and some the embedding, as config.json says. */
    private static void refuseTwoHeads(ModelConfig config, Checkpoint checkpoint, Path folder) {
        String head = HEAD + ".weight";
        if (!config.tieWordEmbeddings() || !checkpoint.has(head)) {
            return;
        }
        String embedding =
                TensorNames.of(checkpoint, DecoderAssembler.prefix(config)).stored(DecoderAssembler.embedding(config));
        if (checkpoint.bytes(head).mismatch(checkpoint.bytes(embedding)) >= 0) {
            throw new RankineException(
                    folder.resolve(ModelConfig.FILE) + ": tie_word_embeddings: true, but the" + " checkpoint holds a "
                            + head + " other than its embedding; set it to false, or remove that tensor");
        }
    }

    /**
     * A model of shapes alone, for planning.
     *
     * @param quantization of the linear layers; none leaves them as config.json says
     */
    public static CausalLanguageModel planned(ModelConfig config, Optional<QuantizedType> quantization) {
        return planned(config, config.dtype().orElse(DType.F32), quantization.or(config::quantization));
    }

    /** The same with all weights of another type. */
    public static CausalLanguageModel planned(ModelConfig config, DType type) {
        return planned(config, type, Optional.empty());
    }

    private static CausalLanguageModel planned(ModelConfig config, DType type, Optional<QuantizedType> quantization) {
        return new CausalLanguageModel(config, WeightSource.planned(type, quantization));
    }

    /**
     * A fresh model with float32 weights in {@code arena}, for training from scratch.
     *
     * @param deviation standard deviation of its matrices, normally 0.02
     */
    public static CausalLanguageModel initialize(ModelConfig config, double deviation, long seed, Arena arena) {
        return new CausalLanguageModel(config, WeightSource.initialized(deviation, seed, arena));
    }

    public ModelConfig config() {
        return config;
    }

    public Decoder decoder() {
        return decoder;
    }

    /** How the linear layers' weights are quantised, if they are. */
    public Optional<QuantizedType> quantization() {
        return decoder.linears().stream()
                .map(linear -> linear.weight().value())
                .flatMap(weight ->
                        weight instanceof QuantizedWeight quantized ? Stream.of(quantized.type()) : Stream.empty())
                .findFirst();
    }

    /** What the weights are mapped from; empty for a planned or fresh model. */
    public Optional<Checkpoint> checkpoint() {
        return Optional.ofNullable(checkpoint);
    }

    /**
     * Writes config.json and the decoder's weights into a folder, which is made if need be.
     *
     * @param type what the weights are rounded to
     */
    public void save(Path folder, DType type) {
        AtomicFile.createFolder(folder);
        SafetensorsWriter.write(folder.resolve(Checkpoint.SINGLE), Map.of("format", "pt"), weights(type));
        AtomicFile.writeText(folder.resolve(ModelConfig.FILE), config.jsonWithDtype(type));
    }

    /**
     * Writes the checkpoint that this model was opened from with the decoder's weights as they are now, and with the files that stand
     * beside it; each file in the folder is replaced whole.
     *
     * @param type what all weights are rounded to
     * @throws io.github.rankine.engine.RankineException when the folder cannot be written
     */
    public void saveTrained(Path folder, DType type) {
        Map<String, List<SafetensorsWriter.Entry>> replacements = new LinkedHashMap<>();
        weights(type).forEach(entry -> replacements.put(entry.name(), List.of(entry)));
        new CheckpointCopy(this, Optional.of(type)).write(folder, replacements, Optional.empty());
    }

    private List<SafetensorsWriter.Entry> weights(DType type) {
        List<SafetensorsWriter.Entry> entries = new ArrayList<>();
        for (Parameter parameter : decoder.parameters()) {
            Weight weight = parameter.value();
            // The engine's vectors are matrices of one row.
            List<Long> shape = weight.rows() == 1 ? List.of(weight.cols()) : List.of(weight.rows(), weight.cols());
            entries.add(new SafetensorsWriter.Entry(
                    parameter.name(), StoredType.of(type), shape, SafetensorsWriter.Content.of(weight, type)));
        }
        return entries;
    }

    /**
     * Writes the checkpoint that this model was opened from with an adapter added to its weights, in float32 and rounded
     * once: every tensor, config.json, and the tokenizer's and other files that stand beside it. A head that is tied to the
     * embedding and has an adapter becomes a tensor of its own, and the embedding stays as it is.
     *
     * @param type what all weights are rounded to; without it, each keeps its own type
     * @throws io.github.rankine.engine.RankineException when the folder holds something else, or cannot be written
     */
    public void saveMerged(Path folder, LoraAdapter adapter, Kernels kernels, Optional<DType> type) {
        new CheckpointMerge(this, adapter, kernels, type).write(folder);
    }

    /**
     * Writes the checkpoint that this model was opened from with its linear layers, but for the head, quantised as NF4 in bitsandbytes'
     * layout, one at a time.
     *
     * @throws io.github.rankine.engine.RankineException when they are quantised already, the folder holds something else, or cannot be
     *     written
     */
    public void saveQuantized(Path folder) {
        requireDense(checkpoint.folder(), "there is nothing to do");
        new CheckpointQuantization(this).write(folder);
    }

    @Override
    public void close() {
        decoder.close();
        if (checkpoint != null) {
            checkpoint.close();
            quantized.close();
        }
    }
}
