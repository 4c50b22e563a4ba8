package io.github.rankine.models.peft;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.AdapterWeights;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.safetensors.SafetensorsFile;
import io.github.rankine.models.safetensors.SafetensorsWriter.Content;
import io.github.rankine.models.safetensors.SafetensorsWriter.Entry;
import io.github.rankine.models.safetensors.StoredType;
import io.github.rankine.models.safetensors.TensorInfo;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The names that PEFT gives an adapter's tensors, M a module of the base:
 *
 * <pre>
 *   base_model.model.M.lora_A.weight [r, in]           .lora_B.weight [out, r]        a linear layer
 *   base_model.model.M.lora_magnitude_vector [out]                                    with DoRA
 *   base_model.model.M.lora_embedding_A [r, vocab]     .lora_embedding_B [dim, r]     an embedding
 *   base_model.model.M.weight, .bias                                                  trained themselves
 *   base_model.model.M.base_layer.bias                                                the same of a layer with an adapter
 *   base_model.model.M.base_layer.weight                                              the base's own, saved beside
 * </pre>
 */
final class PeftTensors {
    static final String PREFIX = "base_model.model.";

    private static final String BASE_LAYER = ".base_layer";
    private static final Pattern LOW_RANK = Pattern.compile(
            "(?<module>.+)\\.(lora_[AB]\\.weight|lora_magnitude_vector(\\.weight)?|(?<embedding>lora_embedding_[AB]))");
    private static final Pattern OWN = Pattern.compile("(?<module>.+?)(?<base>\\.base_layer)?\\.(?<kind>weight|bias)");

    private final PeftConfig config;
    private final SafetensorsFile file;
    private final Map<String, LoraWeights> modules = new LinkedHashMap<>();
    private final Map<String, LoraWeights> embeddings = new LinkedHashMap<>();
    private final Map<String, Weight> replaced = new LinkedHashMap<>();

    private PeftTensors(PeftConfig config, SafetensorsFile file) {
        this.config = config;
        this.file = file;
    }

    /**
     * What a file holds.
     *
     * @throws RankineException when it is not what the configuration says, naming the tensor
     */
    static AdapterWeights read(PeftConfig config, SafetensorsFile file) {
        PeftTensors tensors = new PeftTensors(config, file);
        file.tensors().forEach(tensors::read);
        if (tensors.modules.isEmpty() && tensors.embeddings.isEmpty()) {
            throw new RankineException(file.path() + ": no tensors; expected those of a LoRA adapter");
        }
        return new AdapterWeights(tensors.modules, tensors.embeddings, tensors.replaced);
    }

    private void read(TensorInfo tensor) {
        String name = tensor.name().startsWith(PREFIX) ? tensor.name().substring(PREFIX.length()) : "";
        Matcher lowRank = LOW_RANK.matcher(name);
        Matcher own = OWN.matcher(name);
        if (lowRank.matches()) {
            String module = lowRank.group("module");
            if (lowRank.group("embedding") != null) {
                embeddings.computeIfAbsent(module, this::embedding);
            } else {
                modules.computeIfAbsent(module, this::linear);
            }
        } else if (own.matches() && isReplaced(own)) {
            replaced.put(own.group("module") + "." + own.group("kind"), file.weight(tensor.name()));
        } else if (!own.matches() || own.group("base") == null) {
            throw new RankineException(file.path() + ": tensor '" + tensor.name() + "': not a LoRA matrix, and "
                    + PeftConfig.FILE + " names no such module to save; expected " + PREFIX
                    + "MODULE.lora_A.weight and the like");
        }
    }

    /** Whether the configuration says that this weight or bias of the base was trained. */
    private boolean isReplaced(Matcher own) {
        LoraConfig lora = config.lora();
        boolean bias = own.group("kind").equals("bias") && lora.bias() != LoraConfig.Bias.NONE;
        return bias || (own.group("base") == null && lora.saves(own.group("module")));
    }

    private LoraWeights linear(String module) {
        Weight a = matrix(PREFIX + module + ".lora_A.weight");
        Weight b = matrix(PREFIX + module + ".lora_B.weight");
        requireRank(module, "lora_A", a, "lora_B", b);
        if (!config.lora().dora()) {
            if (magnitude(module) != null) {
                throw new RankineException(file.path() + ": tensor '" + magnitude(module) + "': DoRA's, but "
                        + PeftConfig.FILE + " has use_dora false; do they belong together?");
            }
            return new LoraWeights(a, b);
        }
        String name = magnitude(module);
        if (name == null) {
            throw new RankineException(file.path() + ": no tensor '" + PREFIX + module + ".lora_magnitude_vector', but "
                    + PeftConfig.FILE + " has use_dora true; do they belong together?");
        }
        return new LoraWeights(a, b, file.weight(name));
    }

    /** The tensor of a module's magnitudes, which PEFT's versions name in two ways; null when there is none. */
    private String magnitude(String module) {
        String name = PREFIX + module + ".lora_magnitude_vector";
        return file.has(name) ? name : file.has(name + ".weight") ? name + ".weight" : null;
    }

    private LoraWeights embedding(String module) {
        Weight a = matrix(PREFIX + module + ".lora_embedding_A");
        Weight b = matrix(PREFIX + module + ".lora_embedding_B");
        requireRank(module, "lora_embedding_A", a, "lora_embedding_B", b);
        return new LoraWeights(a, b);
    }

    private void requireRank(String module, String nameA, Weight a, String nameB, Weight b) {
        int rank = config.lora().rank(module);
        if (a.rows() != rank || b.cols() != rank) {
            throw new RankineException(file.path() + ": module '" + module + "': " + nameA + " [" + a.rows() + ", "
                    + a.cols() + "] and " + nameB + " [" + b.rows() + ", " + b.cols() + "], expected [" + rank
                    + ", in] and [out, " + rank + "] by " + PeftConfig.FILE + "; do they belong together?");
        }
    }

    private Weight matrix(String name) {
        TensorInfo info = file.info(name);
        if (info.shape().size() != 2 || info.elements() == 0) {
            throw new RankineException(
                    file.path() + ": tensor '" + name + "': shape " + info.shape() + ", expected a matrix");
        }
        return file.weight(name);
    }

    /** The tensors of an adapter, in float32. */
    static List<Entry> entries(AdapterWeights weights) {
        List<Entry> entries = new ArrayList<>();
        weights.modules().forEach((module, matrices) -> {
            entries.add(Entry.of(PREFIX + module + ".lora_A.weight", matrices.a(), DType.F32));
            entries.add(Entry.of(PREFIX + module + ".lora_B.weight", matrices.b(), DType.F32));
            if (matrices.magnitude() != null) {
                entries.add(vector(PREFIX + module + ".lora_magnitude_vector", matrices.magnitude()));
            }
        });
        weights.embeddings().forEach((module, matrices) -> {
            entries.add(Entry.of(PREFIX + module + ".lora_embedding_A", matrices.a(), DType.F32));
            entries.add(Entry.of(PREFIX + module + ".lora_embedding_B", matrices.b(), DType.F32));
        });
        weights.replaced().forEach((name, weight) -> {
            int dot = name.lastIndexOf('.');
            boolean adapted = weights.lowRank().containsKey(name.substring(0, dot));
            String key = PREFIX + name.substring(0, dot) + (adapted ? BASE_LAYER : "") + name.substring(dot);
            entries.add(weight.rows() == 1 ? vector(key, weight) : Entry.of(key, weight, DType.F32));
        });
        return entries;
    }

    private static Entry vector(String name, Weight weight) {
        return new Entry(name, StoredType.F32, List.of(weight.size()), Content.of(weight, DType.F32));
    }
}
