package io.github.rankine.models.export;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraModule;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.config.Family;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.files.AtomicFile;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.safetensors.SafetensorsWriter;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * A LoRA adapter in a folder as mlx-lm reads it (mlx_lm/tuner/utils.py, {@code load_adapters}): {@code adapter_config.json} and
 * {@code adapters.safetensors}, where a module's matrices are {@code lora_a} {@code [in, r]} and {@code lora_b} {@code [r, out]}.
 *
 * <p>mlx-lm has one rank and one scale for all modules. So smaller matrices are filled up with zeros to the largest rank, the scale is
 * that of most modules, and the lora_b of all others is multiplied to make up for it. It adapts the modules named by {@code keys}
 * in each of the last {@code num_layers} layers; one for which the folder has nothing keeps the zero lora_b that it begins with.
 */
public final class MlxAdapter {
    private final LoraAdapter adapter;
    private final ModelConfig base;
    private final OneScale scale;
    private final int rank;

    private MlxAdapter(LoraAdapter adapter, ModelConfig base, OneScale scale, int rank) {
        this.adapter = adapter;
        this.base = base;
        this.scale = scale;
        this.rank = rank;
    }

    /**
     * Prepares an adapter for being written.
     *
     * @param base what it was trained over
     * @throws RankineException where mlx-lm has no such layer
     */
    public static MlxAdapter of(LoraAdapter adapter, ModelConfig base) {
        if (adapter.modules().containsKey(CausalLanguageModel.HEAD)) {
            requireHead(base);
        }
        SequencedMap<String, Double> scales = new LinkedHashMap<>();
        adapter.modules().forEach((name, module) -> scales.put(name, module.scaling()));
        int rank = adapter.modules().values().stream()
                .mapToInt(MlxAdapter::rank)
                .max()
                .orElseThrow();
        return new MlxAdapter(adapter, base, OneScale.of(scales), rank);
    }

    private static void requireHead(ModelConfig base) {
        if (base.family() == Family.GPT2) {
            throw new RankineException(CausalLanguageModel.HEAD + ": mlx-lm's GPT-2 has no head beside its embedding;"
                    + " train an adapter without it");
        }
        if (base.tieWordEmbeddings()) {
            throw new RankineException(
                    CausalLanguageModel.HEAD + ": the base ties its head to its embedding, and mlx-lm has no adapter"
                            + " of the one without the other; write a model with 'rankine merge' and"
                            + " convert that");
        }
    }

    private static int rank(LoraModule module) {
        return Math.toIntExact(module.a().value().rows());
    }

    /**
     * Writes the two files into a folder, which is made if need be.
     *
     * @throws RankineException when a file cannot be written; it is then as it was
     */
    public void write(Path folder) {
        AtomicFile.createFolder(folder);
        try (Arena arena = Arena.ofShared()) {
            List<SafetensorsWriter.Entry> entries = new ArrayList<>();
            adapter.modules().forEach((name, module) -> {
                Weight a = module.a().value();
                Weight b = module.b().value();
                String stored = name.replaceFirst("^transformer\\.", "model.");
                entries.add(SafetensorsWriter.Entry.of(
                        stored + ".lora_a", transposed(a, 1, Tensor.allocate(arena, a.cols(), rank))));
                entries.add(SafetensorsWriter.Entry.of(
                        stored + ".lora_b", transposed(b, scale.factor(name), Tensor.allocate(arena, rank, b.rows()))));
            });
            SafetensorsWriter.write(folder.resolve("adapters.safetensors"), Map.of(), entries);
        }
        AtomicFile.writeText(folder.resolve("adapter_config.json"), Json.write(config()));
    }

    /** {@code factor} · {@code matrix}, transposed, in the corner of {@code result}. */
    private static Tensor transposed(Weight matrix, double factor, Tensor result) {
        for (long row = 0; row < matrix.rows(); row++) {
            for (long col = 0; col < matrix.cols(); col++) {
                result.set(col, row, (float) (factor * matrix.get(row, col)));
            }
        }
        return result;
    }

    private ObjectNode config() {
        ObjectNode node = Json.mapper().createObjectNode();
        node.put("fine_tune_type", "lora");
        node.put("num_layers", lastLayers());
        ObjectNode parameters = node.putObject("lora_parameters");
        parameters.put("rank", rank);
        parameters.put("scale", scale());
        parameters.put("dropout", adapter.config().dropout());
        keys().forEach(parameters.putArray("keys")::add);
        return node;
    }

    /** Names of modules within a layer, and of what stands outside the layers in full. */
    private Set<String> keys() {
        return modules().stream()
                .map(module -> LayerModule.of(module).map(LayerModule::name).orElse(module))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** How many layers there are from the first adapted one to the last of all. */
    public int lastLayers() {
        return modules().stream()
                .flatMap(module -> LayerModule.of(module).stream())
                .mapToInt(place -> base.layers() - place.layer())
                .max()
                .orElse(0);
    }

    /** The one rank. */
    public int rank() {
        return rank;
    }

    /** The one factor of B·A. */
    public double scale() {
        return scale.value();
    }

    /** The adapted modules, as the base names them. */
    public List<String> modules() {
        return List.copyOf(adapter.modules().keySet());
    }

    /** Those whose lora_b is multiplied because they have another scale. */
    public List<String> rescaled() {
        return scale.rescaled();
    }

    /** Those that are filled up with zeros because they have a lower rank. */
    public List<String> filledUp() {
        return modules().stream()
                .filter(module -> rank(adapter.modules().get(module)) < rank)
                .toList();
    }
}
