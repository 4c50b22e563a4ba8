package io.github.rankine.models.export;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.LoraModule;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.peft.PeftAdapter;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.UnaryOperator;

/** Adapters over the bases of the fixtures. */
record AdapterOver(LoraAdapter adapter, ModelConfig base) {
    /** The one that PEFT wrote. */
    static AdapterOver fixture(String name, Arena arena) {
        ModelConfig base = ModelConfig.read(Fixtures.folder(name).resolve("model"));
        try (CausalLanguageModel model = CausalLanguageModel.planned(base, Optional.empty());
                PeftAdapter stored = PeftAdapter.open(Fixtures.folder(name).resolve("adapter"))) {
            return new AdapterOver(stored.load(model.decoder(), arena), base);
        }
    }

    /** One with random matrices. */
    static AdapterOver random(ModelConfig base, LoraConfig config, Arena arena) {
        try (CausalLanguageModel model = CausalLanguageModel.planned(base, Optional.empty())) {
            LoraAdapter adapter = LoraAdapter.initialize(config, model.decoder().shape(), 1, arena);
            Random random = new Random(2);
            for (LoraModule module : adapter.modules().values()) {
                Tensor b = module.b().value().asTensor();
                for (long row = 0; row < b.rows(); row++) {
                    for (long col = 0; col < b.cols(); col++) {
                        b.set(row, col, (float) random.nextGaussian());
                    }
                }
            }
            return new AdapterOver(adapter, base);
        }
    }

    /** One with a rank, an alpha or both of single modules' own. */
    static LoraConfig config(
            boolean rslora, Map<String, Integer> ranks, Map<String, Double> alphas, String... targetModules) {
        return new LoraConfig(
                4,
                8,
                0.25,
                new ModuleSelector.Suffixes(List.of(targetModules)),
                null,
                List.of(),
                List.of(),
                ranks,
                alphas,
                rslora);
    }

    static ModelConfig base(String name) {
        return ModelConfig.read(Fixtures.folder(name).resolve("model"));
    }

    /** The same base with another config.json. */
    static ModelConfig base(String name, UnaryOperator<ObjectNode> change, Path folder) throws IOException {
        Path original = Fixtures.folder(name).resolve("model").resolve(ModelConfig.FILE);
        String json = Json.write(change.apply(Json.readObject(original).toNode()));
        return ModelConfig.read(Files.writeString(folder.resolve(ModelConfig.FILE), json));
    }

    LoraModule module(String name) {
        return adapter.modules().get(name);
    }

    /** scaling · B · A. */
    double[][] update(String name) {
        LoraModule module = module(name);
        Weight a = module.a().value();
        Weight b = module.b().value();
        double[][] update = new double[(int) b.rows()][(int) a.cols()];
        for (int row = 0; row < b.rows(); row++) {
            for (int col = 0; col < a.cols(); col++) {
                for (int k = 0; k < a.rows(); k++) {
                    update[row][col] += module.scaling() * b.get(row, k) * a.get(k, col);
                }
            }
        }
        return update;
    }
}
