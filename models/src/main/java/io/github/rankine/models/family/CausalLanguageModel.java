package io.github.rankine.models.family;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.files.AtomicFile;
import io.github.rankine.models.safetensors.Checkpoint;
import io.github.rankine.models.safetensors.SafetensorsWriter;
import io.github.rankine.models.safetensors.StoredType;
import io.github.rankine.models.safetensors.TensorInfo;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
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

    private CausalLanguageModel(ModelConfig config, WeightSource source, Checkpoint checkpoint) {
        this.config = config;
        this.decoder = new DecoderAssembler(config, source).assemble();
        this.checkpoint = checkpoint;
    }

    /**
     * Maps the checkpoint in a folder.
     *
     * @throws io.github.rankine.engine.RankineException when config.json or a tensor is missing or not what it should be
     */
    public static CausalLanguageModel open(Path folder) {
        return open(folder, source -> source);
    }

    /**
     * The same with every weight copied to float32 in {@code arena}, so that all of them can be trained.
     *
     * @throws io.github.rankine.engine.RankineException when config.json or a tensor is missing or not what it should be
     */
    public static CausalLanguageModel openForTraining(Path folder, Arena arena) {
        return open(folder, source -> source.copiedTo(arena));
    }

    private static CausalLanguageModel open(Path folder, UnaryOperator<WeightSource> use) {
        ModelConfig config = ModelConfig.read(folder);
        Checkpoint checkpoint = Checkpoint.open(folder);
        try {
            refuseTwoHeads(config, checkpoint, folder);
            warnOfMoreLayers(config, checkpoint, folder);
            WeightSource mapped =
                    WeightSource.of(checkpoint, TensorNames.of(checkpoint, DecoderAssembler.prefix(config)));
            return new CausalLanguageModel(config, use.apply(mapped), checkpoint);
        } catch (RuntimeException e) {
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

    /** A model of shapes alone, for planning. */
    public static CausalLanguageModel planned(ModelConfig config) {
        return planned(config, config.dtype().orElse(DType.F32));
    }

    /** The same with weights of another type. */
    public static CausalLanguageModel planned(ModelConfig config, DType type) {
        return new CausalLanguageModel(config, WeightSource.planned(type), null);
    }

    /**
     * A fresh model with float32 weights in {@code arena}, for training from scratch.
     *
     * @param deviation standard deviation of its matrices, normally 0.02
     */
    public static CausalLanguageModel initialize(ModelConfig config, double deviation, long seed, Arena arena) {
        return new CausalLanguageModel(config, WeightSource.initialized(deviation, seed, arena), null);
    }

    public ModelConfig config() {
        return config;
    }

    public Decoder decoder() {
        return decoder;
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
        SafetensorsWriter.write(
                folder.resolve(Checkpoint.SINGLE),
                Map.of("format", "pt"),
                List.copyOf(weights(type).values()));
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
        new CheckpointCopy(this, Optional.of(type)).write(folder, weights(type));
    }

    private Map<String, SafetensorsWriter.Entry> weights(DType type) {
        Map<String, SafetensorsWriter.Entry> entries = new LinkedHashMap<>();
        for (Parameter parameter : decoder.parameters()) {
            Weight weight = parameter.value();
            // The engine's vectors are matrices of one row.
            List<Long> shape = weight.rows() == 1 ? List.of(weight.cols()) : List.of(weight.rows(), weight.cols());
            entries.put(
                    parameter.name(),
                    new SafetensorsWriter.Entry(
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

    @Override
    public void close() {
        decoder.close();
        if (checkpoint != null) {
            checkpoint.close();
        }
    }
}
