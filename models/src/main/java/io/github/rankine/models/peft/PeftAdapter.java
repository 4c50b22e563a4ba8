package io.github.rankine.models.peft;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.nn.Linear;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.files.AtomicFile;
import io.github.rankine.models.safetensors.SafetensorsFile;
import io.github.rankine.models.safetensors.SafetensorsWriter;
import io.github.rankine.models.safetensors.TensorInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A LoRA adapter in a PEFT folder. Its weights are mapped and valid until it is closed; a folder may be overwritten
 * while an adapter read from it is open.
 */
public final class PeftAdapter implements AutoCloseable {
    /** The file of the tensors in an adapter's folder. */
    public static final String WEIGHTS = "adapter_model.safetensors";

    private static final String PREFIX = "base_model.model.";
    private static final Pattern TENSOR =
            Pattern.compile("base_model\\.model\\.(?<module>.+)\\.lora_(?<matrix>[AB])\\.weight");

    /** A layer's own weight, which PEFT saves beside the matrices when the output head is a target. */
    private static final Pattern BASE_LAYER =
            Pattern.compile("base_model\\.model\\.(?<module>.+)\\.base_layer\\.weight");

    private final PeftConfig config;
    private final SafetensorsFile file;
    private final Map<String, LoraWeights> modules;

    private PeftAdapter(PeftConfig config, SafetensorsFile file, Map<String, LoraWeights> modules) {
        this.config = config;
        this.file = file;
        this.modules = Collections.unmodifiableMap(modules);
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
            return new PeftAdapter(config, file, modules(config, file));
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
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

    private static Map<String, LoraWeights> modules(PeftConfig config, SafetensorsFile file) {
        Map<String, LoraWeights> modules = new LinkedHashMap<>();
        for (TensorInfo tensor : file.tensors()) {
            Matcher baseLayer = BASE_LAYER.matcher(tensor.name());
            if (baseLayer.matches() && file.has(name(baseLayer.group("module"), "A"))) {
                continue;
            }
            Matcher matcher = TENSOR.matcher(tensor.name());
            if (!matcher.matches()) {
                throw new RankineException(file.path() + ": tensor '" + tensor.name() + "': " + kind(tensor.name())
                        + "; expected only " + name("MODULE", "A") + " and " + name("MODULE", "B"));
            }
            String module = matcher.group("module");
            if (!modules.containsKey(module)) {
                modules.put(module, pair(config, file, module));
            }
        }
        if (modules.isEmpty()) {
            throw new RankineException(file.path() + ": no tensors; expected those of a LoRA adapter");
        }
        return modules;
    }

    private static LoraWeights pair(PeftConfig config, SafetensorsFile file, String module) {
        Weight a = matrix(file, name(module, "A"));
        Weight b = matrix(file, name(module, "B"));
        int rank = config.lora().rank(module);
        if (a.rows() != rank || b.cols() != rank) {
            throw new RankineException(file.path() + ": module '" + module + "': lora_A "
                    + file.info(name(module, "A")).shape() + " and lora_B "
                    + file.info(name(module, "B")).shape() + ", expected [" + rank + ", in] and [out, " + rank + "] by "
                    + PeftConfig.FILE + "; do they belong together?");
        }
        return new LoraWeights(a, b);
    }

    private static Weight matrix(SafetensorsFile file, String name) {
        TensorInfo info = file.info(name);
        if (info.shape().size() != 2 || info.elements() == 0) {
            throw new RankineException(
                    file.path() + ": tensor '" + name + "': shape " + info.shape() + ", expected a matrix");
        }
        return file.weight(name);
    }

    private static String kind(String tensor) {
        if (tensor.contains("lora_magnitude_vector")) {
            return "DoRA is not supported";
        }
        if (tensor.contains("lora_embedding_")) {
            return "adapters of embeddings are not supported";
        }
        return "not a LoRA matrix of a linear layer";
    }

    private static String name(String module, String matrix) {
        return PREFIX + module + ".lora_" + matrix + ".weight";
    }

    /**
     * Writes an adapter's folder, made if need be, each of its files replaced whole: the tensors in float32, the
     * configuration and the model card.
     *
     * @param modules matrices by the module's full name in the base model
     * @throws RankineException when a file cannot be written; it is then as it was
     */
    public static void write(Path folder, PeftConfig config, Map<String, LoraWeights> modules, ModelCard card) {
        AtomicFile.createFolder(folder);
        List<SafetensorsWriter.Entry> entries = new ArrayList<>();
        modules.forEach((module, weights) -> {
            entries.add(SafetensorsWriter.Entry.of(name(module, "A"), weights.a(), DType.F32));
            entries.add(SafetensorsWriter.Entry.of(name(module, "B"), weights.b(), DType.F32));
        });
        SafetensorsWriter.write(folder.resolve(WEIGHTS), Map.of("format", "pt"), entries);
        config.write(folder.resolve(PeftConfig.FILE), modules.keySet());
        card.write(folder.resolve(ModelCard.FILE), config, modules.values());
    }

    /** What adapter_config.json says. */
    public PeftConfig config() {
        return config;
    }

    /** The matrices by the module's name in the base model, PEFT's own prefix taken off. */
    public Map<String, LoraWeights> modules() {
        return modules;
    }

    /**
     * The adapter over a base, its matrices copied to {@code arena}, so that this folder may be closed.
     *
     * @throws RankineException when it was made for another base: the first tensor that does not fit, by name
     */
    public LoraAdapter load(Decoder base, Arena arena) {
        requireBase(base);
        try {
            return LoraAdapter.of(config.lora(), base.linearShapes(), modules, arena);
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
        for (Linear linear : base.linears()) {
            String name = PREFIX + linear.name() + ".base_layer.weight";
            Weight weight = linear.weight().value();
            if (file.has(name) && weight.hasMemory() && !isRounding(file.weight(name), weight)) {
                throw new RankineException(file.path() + ": tensor '" + name + "': not the base's "
                        + linear.weight().name() + "; name the model that the adapter was trained over");
            }
        }
    }

    /** Whether {@code saved} is {@code weight}, rounded to its own type if that is the coarser one. */
    private static boolean isRounding(Weight saved, Weight weight) {
        if (saved.rows() != weight.rows() || saved.cols() != weight.cols()) {
            return false;
        }
        DType type = saved.type();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment rounded = arena.allocate(Float.BYTES);
            for (long i = 0; i < saved.size(); i++) {
                type.write(rounded, 0, weight.type().read(weight.data(), i));
                if (type.read(rounded, 0) != type.read(saved.data(), i)) {
                    return false;
                }
            }
        }
        return true;
    }

    /** Number of elements of all matrices. */
    public long parameters() {
        return modules.values().stream().mapToLong(LoraWeights::parameters).sum();
    }

    @Override
    public void close() {
        file.close();
    }
}
