package io.github.rankine.models.peft;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.AdapterWeights;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.lora.PrincipalComponents;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.nn.Linear;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.files.AtomicFile;
import io.github.rankine.models.safetensors.SafetensorsFile;
import io.github.rankine.models.safetensors.SafetensorsWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A LoRA adapter in a PEFT folder. Its weights are mapped and valid until it is closed; a folder may be overwritten
 * while an adapter read from it is open.
 */
public final class PeftAdapter implements AutoCloseable {
    /** The file of the tensors in an adapter's folder. */
    public static final String WEIGHTS = "adapter_model.safetensors";

    /** Entry of the tensors' metadata that tells how the base was quantised; readers of PEFT's pass over it. */
    private static final String BASE_QUANTIZATION = "rankine.base_quantization";

    private final PeftConfig config;
    private final SafetensorsFile file;
    private final AdapterWeights weights;

    private PeftAdapter(PeftConfig config, SafetensorsFile file, AdapterWeights weights) {
        this.config = config;
        this.file = file;
        this.weights = weights;
    }

    /**
     * Opens the adapter in a folder.
     *
     * @throws RankineException when a file is missing or damaged, the two disagree, or the adapter is of another kind
     */
    public static PeftAdapter open(Path folder) {
        checkFiles(folder);
        PeftConfig config = PeftConfig.read(folder.resolve(PeftConfig.FILE));
        SafetensorsFile file = SafetensorsFile.open(folder.resolve(WEIGHTS));
        try {
            return new PeftAdapter(
                    config.withBaseQuantization(baseQuantization(file)), file, PeftTensors.read(config, file));
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    /**
     * The configuration of the adapter in a folder, and how its base was quantised.
     *
     * @throws RankineException as {@link #open}
     */
    public static PeftConfig configuration(Path folder) {
        try (PeftAdapter adapter = open(folder)) {
            return adapter.config();
        }
    }

    private static void checkFiles(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new RankineException(folder + ": no such folder; expected an adapter's, with " + PeftConfig.FILE);
        }
        if (!Files.exists(folder.resolve(PeftConfig.FILE))) {
            throw new RankineException(folder + ": no " + PeftConfig.FILE + "; expected a PEFT adapter's folder");
        }
        if (!Files.exists(folder.resolve(WEIGHTS))) {
            throw new RankineException(folder + ": no " + WEIGHTS
                    + (Files.exists(folder.resolve("adapter_model.bin"))
                            ? ", only adapter_model.bin, which Rankine does not read; save it again with a current PEFT"
                            : "; the adapter is incomplete"));
        }
    }

    private static Optional<QuantizedType> baseQuantization(SafetensorsFile file) {
        return Optional.ofNullable(file.metadata().get(BASE_QUANTIZATION)).map(name -> {
            try {
                return QuantizedType.valueOf(name);
            } catch (IllegalArgumentException e) {
                throw new RankineException(
                        file.path() + ": metadata '" + BASE_QUANTIZATION + "': '" + name + "' is neither NF4 nor INT8",
                        e);
            }
        });
    }

    /**
     * Writes an adapter's folder, made if need be, each of its files replaced whole: the tensors in float32, the
     * configuration and the model card.
     *
     * @throws RankineException when a file cannot be written; it is then as it was
     */
    public static void write(Path folder, PeftConfig config, AdapterWeights weights, ModelCard card) {
        AtomicFile.createFolder(folder);
        Map<String, String> metadata = new LinkedHashMap<>(Map.of("format", "pt"));
        config.baseQuantization().ifPresent(type -> metadata.put(BASE_QUANTIZATION, type.name()));
        SafetensorsWriter.write(folder.resolve(WEIGHTS), metadata, PeftTensors.entries(weights));
        config.write(folder.resolve(PeftConfig.FILE), weights.lowRank().keySet());
        card.write(folder.resolve(ModelCard.FILE), config, weights);
    }

    /** What adapter_config.json says. */
    public PeftConfig config() {
        return config;
    }

    /** The weights, under the base's names. */
    public AdapterWeights weights() {
        return weights;
    }

    /** The matrices of linear layers by the module's name in the base model, PEFT's own prefix taken off. */
    public Map<String, LoraWeights> modules() {
        return weights.modules();
    }

    /**
     * Refuses an adapter that is more than matrices A and B of linear layers.
     *
     * @param what what takes no other, as in "GGUF"
     */
    public void requirePlain(String what) {
        LoraConfig lora = config.lora();
        String more = lora.dora()
                ? "DoRA's magnitudes"
                : lora.initialization().isPissa()
                        ? "PiSSA's residual of the base (train or convert it with --convert-to-lora)"
                        : !weights.embeddings().isEmpty()
                                ? "an adapter of the embedding"
                                : !weights.replaced().isEmpty()
                                        ? "weights of its own, such as "
                                                + weights.replaced()
                                                        .keySet()
                                                        .iterator()
                                                        .next()
                                        : "";
        if (!more.isEmpty()) {
            throw new RankineException(file.path() + ": " + what + " has no place for " + more
                    + "; merge the adapter into its base instead, with: rankine merge");
        }
    }

    /**
     * The adapter over a base, its matrices copied to {@code arena}, so that this folder may be closed.
     *
     * @throws RankineException when it was made for another base, or is PiSSA, which takes a decomposition of the base's weights
     */
    public LoraAdapter load(Decoder base, Arena arena) {
        return load(base, arena, PrincipalComponents.NONE);
    }

    /**
     * The adapter over a base, its matrices copied to {@code arena}, so that this folder may be closed.
     *
     * @throws RankineException when it was made for another base: the first tensor that does not fit, by name
     */
    public LoraAdapter load(Decoder base, Arena arena, PrincipalComponents components) {
        requireBase(base);
        try {
            return LoraAdapter.of(config.lora(), base.shape(), weights, arena, components);
        } catch (RankineException e) {
            throw new RankineException(file.path() + ": " + e.getMessage(), e);
        }
    }

    /**
     * Checks that the base's weights, where the adapter brings any of them along, are those that the adapter was trained
     * over. A planned base has none to compare.
     *
     * @throws RankineException that names the first one that differs
     */
    public void requireBase(Decoder base) {
        if (config.lora().initialization().isPissa()) {
            return; // it brings what is left of the base's weights
        }
        for (Linear linear : base.linears()) {
            String name = PeftTensors.PREFIX + linear.name() + ".base_layer.weight";
            Weight weight = linear.weight().value();
            if (file.has(name) && weight.hasMemory() && !isRounding(file.weight(name), weight)) {
                throw new RankineException(file.path() + ": tensor '" + name + "': not the base's "
                        + linear.weight().name() + "; name the model that the adapter was trained over");
            }
        }
    }

    /** Whether {@code saved} is {@code weight}, rounded to its own type if that is the coarser one. */
    private static boolean isRounding(DenseWeight saved, Weight weight) {
        if (saved.rows() != weight.rows() || saved.cols() != weight.cols()) {
            return false;
        }
        DType type = saved.type();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment rounded = arena.allocate(Float.BYTES);
            for (long i = 0; i < saved.size(); i++) {
                type.write(rounded, 0, weight.at(i));
                if (type.read(rounded, 0) != saved.at(i)) {
                    return false;
                }
            }
        }
        return true;
    }

    /** Number of elements of all matrices. */
    public long parameters() {
        return weights.parameters();
    }

    @Override
    public void close() {
        file.close();
    }
}
