package io.github.rankine.cli;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.PrincipalComponents;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.peft.PeftAdapter;
import io.github.rankine.models.peft.PeftPrefix;
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
            List<Path> prefixes = adapters.stream().filter(PeftPrefix::isPrefix).toList();
            if (prefixes.size() > 1) {
                throw new RankineException(
                        prefixes.getLast() + ": a second prefix; every sequence has one, before its first token");
            }
            model.decoder()
                    .activate(adapters.stream()
                            .filter(adapter -> !prefixes.contains(adapter))
                            .map(adapter -> loaded.read(adapter, components, terminal))
                            .toArray(LoraAdapter[]::new));
            prefixes.forEach(loaded::usePrefix);
            adapters.forEach(adapter -> AdapterNotes.prefix(adapter, prefixes, terminal));
            return loaded;
        } catch (RuntimeException | Error e) {
            loaded.close();
            throw e;
        }
    }

    private void usePrefix(Path folder) {
        try {
            model.decoder().usePrefix(PeftPrefix.read(folder, arena));
        } catch (RankineException e) {
            throw e.getMessage().startsWith(folder.toString())
                    ? e
                    : new RankineException(folder + ": " + e.getMessage(), e);
        }
    }

    private LoraAdapter read(Path folder, PrincipalComponents components, Terminal terminal) {
        try (PeftAdapter stored = PeftAdapter.open(folder)) {
            AdapterNotes.quantization(folder, stored.config(), model.quantization(), terminal);
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
