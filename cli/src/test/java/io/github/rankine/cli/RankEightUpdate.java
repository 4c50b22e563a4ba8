package io.github.rankine.cli;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Random;

/**
 * A base of random float32 weights, and a checkpoint of which each linear layer differs from it by a random matrix of rank 8.
 */
record RankEightUpdate(Path base, Path tuned) {
    static final int RANK = 8;

    /** @param family the fixture whose architecture it has */
    static RankEightUpdate write(Path folder, String family) {
        Path base = folder.resolve("base");
        Path tuned = folder.resolve("tuned");
        try (Arena arena = Arena.ofShared();
                Kernels kernels = KernelsLookup.named("vector", 1)) {
            Path config = Fixture.of(family).model().resolve(ModelConfig.FILE);
            try (CausalLanguageModel model = CausalLanguageModel.initialize(ModelConfig.read(config), 0.3, 1, arena)) {
                model.save(base, DType.F32);
            }
            try (CausalLanguageModel model = CausalLanguageModel.open(base)) {
                LoraAdapter adapter = LoraAdapter.initialize(
                        LoraConfig.of(RANK, RANK, new ModuleSelector.AllLinear()),
                        model.decoder().shape(),
                        1,
                        arena);
                Random random = new Random(2);
                adapter.modules().values().forEach(module -> {
                    Tensor b = module.b().value().asTensor();
                    for (int i = 0; i < b.rows(); i++) {
                        for (int j = 0; j < RANK; j++) {
                            b.set(i, j, (float) random.nextGaussian());
                        }
                    }
                });
                model.saveMerged(tuned, adapter, kernels, Optional.of(DType.F32));
            }
        }
        return new RankEightUpdate(base, tuned);
    }
}
