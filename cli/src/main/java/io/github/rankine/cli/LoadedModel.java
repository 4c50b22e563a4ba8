package io.github.rankine.cli;

import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.PrincipalComponents;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.peft.PeftAdapter;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** A model with its adapters active, all of it closed together. */
final class LoadedModel implements AutoCloseable {
    private final CausalLanguageModel model;
    private final Arena arena;

    private LoadedModel(CausalLanguageModel model, Arena arena) {
        this.model = model;
        this.arena = arena;
    }

    static LoadedModel open(
            Path folder,
            Optional<QuantizedType> quantization,
            List<Path> adapters,
            PrincipalComponents components,
            Terminal terminal) {
        CausalLanguageModel model = CausalLanguageModel.open(folder, quantization);
        Arena arena = Arena.ofShared();
        LoadedModel loaded = new LoadedModel(model, arena);
        try {
            model.decoder()
                    .activate(adapters.stream()
                            .map(adapter -> loaded.read(adapter, components, terminal))
                            .toArray(LoraAdapter[]::new));
            return loaded;
        } catch (RuntimeException | Error e) {
            loaded.close();
            throw e;
        }
    }

    private LoraAdapter read(Path folder, PrincipalComponents components, Terminal terminal) {
        try (PeftAdapter stored = PeftAdapter.open(folder)) {
            stored.config()
                    .baseQuantization()
                    .filter(type -> !model.quantization().equals(Optional.of(type)))
                    .map(QuantizeOption::name)
                    .ifPresent(type -> terminal.note(folder + ": trained over its base in " + type
                            + ", which is not the model here; --quantize " + type + " gives it"));
            return stored.load(model.decoder(), arena, components);
        }
    }

    Decoder decoder() {
        return model.decoder();
    }

    ModelConfig config() {
        return model.config();
    }

    @Override
    public void close() {
        model.close();
        arena.close();
    }
}
