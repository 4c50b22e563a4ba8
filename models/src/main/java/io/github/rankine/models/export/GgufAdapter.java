package io.github.rankine.models.export;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.gguf.GgufWriter;
import io.github.rankine.models.gguf.GgufWriter.Matrix;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * A LoRA adapter as llama.cpp reads it (src/llama-adapter.cpp): one GGUF file with A and B of each module under the name of the
 * weight that they change.
 *
 * <p>llama.cpp scales B·A by alpha over the rank of B, with one alpha for the file: there is neither rsLoRA nor an alpha of a single
 * module. So the file's alpha is what gives most modules their scale, and the B of all others is multiplied to make up for it.
 * A and B keep PEFT's orientation in every family: llama.cpp stores GPT-2's Conv1D weights {@code [out, in]}.
 */
public final class GgufAdapter {
    private final LoraAdapter adapter;
    private final String architecture;
    private final Map<String, GgufPlace> places;
    private final OneScale alpha;

    private GgufAdapter(LoraAdapter adapter, String architecture, Map<String, GgufPlace> places, OneScale alpha) {
        this.adapter = adapter;
        this.architecture = architecture;
        this.places = places;
        this.alpha = alpha;
    }

    /**
     * Prepares an adapter for being written.
     *
     * @param base what it was trained over
     * @throws RankineException naming the first module that llama.cpp has no place for
     */
    public static GgufAdapter of(LoraAdapter adapter, ModelConfig base) {
        Map<String, GgufPlace> places = new LinkedHashMap<>();
        SequencedMap<String, Double> alphas = new LinkedHashMap<>();
        for (String module : adapter.modules().keySet()) {
            places.put(module, GgufPlace.of(module, base));
            alphas.put(module, alpha(adapter.config(), module));
        }
        OneScale alpha = OneScale.of(alphas);
        // llama.cpp takes 0 for no alpha at all, and then scales by 1.
        if ((float) alpha.value() < Float.MIN_NORMAL) {
            throw new RankineException(
                    "lora_alpha: " + alpha.value() + ", smaller than llama.cpp's float32 holds; write a"
                            + " model with 'rankine merge' and convert that");
        }
        return new GgufAdapter(adapter, GgufPlace.architecture(base), places, alpha);
    }

    /** The α that makes α/r the module's scale. */
    private static double alpha(LoraConfig config, String module) {
        return config.alpha(module) * (config.rslora() ? Math.sqrt(config.rank(module)) : 1);
    }

    /**
     * Replaces {@code file} by the adapter.
     *
     * @throws RankineException when it cannot be written; what was there is then unchanged
     */
    public void write(Path file) {
        SequencedMap<String, GgufWriter.Value> metadata = new LinkedHashMap<>();
        metadata.put("general.architecture", new GgufWriter.Text(architecture));
        metadata.put("general.type", new GgufWriter.Text("adapter"));
        metadata.put("adapter.type", new GgufWriter.Text("lora"));
        metadata.put("adapter.lora.alpha", new GgufWriter.Float32(alpha()));
        try (Arena arena = Arena.ofShared()) {
            List<Matrix> matrices = new ArrayList<>();
            adapter.modules().forEach((name, module) -> {
                GgufPlace place = places.get(name);
                matrices.add(new Matrix(
                        place.tensor() + ".lora_a", module.a().value().asTensor()));
                matrices.add(new Matrix(
                        place.tensor() + ".lora_b", b(module.b().value(), place, alpha.factor(name), arena)));
            });
            GgufWriter.write(file, metadata, matrices);
        }
    }

    private static Tensor b(Weight b, GgufPlace place, double factor, Arena arena) {
        Tensor result = Tensor.allocate(arena, b.rows(), b.cols());
        for (long row = 0; row < b.rows(); row++) {
            long source = place.source(row, b.rows());
            for (long col = 0; col < b.cols(); col++) {
                result.set(row, col, (float) (factor * b.get(source, col)));
            }
        }
        return result;
    }

    /** What llama.cpp calls the base's architecture; it takes the adapter over no other. */
    public String architecture() {
        return architecture;
    }

    /** The file's one alpha, float32 in the file. */
    public float alpha() {
        return (float) alpha.value();
    }

    /** Whether the adapter is an rsLoRA, so that the alpha is α·√r and none of its own. */
    public boolean rslora() {
        return adapter.config().rslora();
    }

    /** The adapted modules, as the base names them. */
    public List<String> modules() {
        return List.copyOf(adapter.modules().keySet());
    }

    /** Those whose B is multiplied because their scale does not follow from the file's alpha. */
    public List<String> rescaled() {
        return alpha.rescaled();
    }
}
