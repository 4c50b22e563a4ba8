package io.github.rankine.cli;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.peft.PeftAdapter;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;
import picocli.CommandLine.Option;

/** What is exported: an adapter, and the base that gives its matrices their places. */
final class ExportSource {
    @Option(names = "--adapter", required = true, paramLabel = "DIR", description = "Folder of a PEFT LoRA adapter.")
    private Path adapter;

    @Option(
            names = "--model",
            required = true,
            paramLabel = "DIR|FILE",
            description = "Folder of the checkpoint that the adapter was trained over, or its config.json alone.")
    private Path model;

    /**
     * The adapter in the format that {@code format} makes of it and the base's shape.
     *
     * @param arena    what the adapter is copied to
     * @param terminal for what is left out
     * @throws RankineException when it is of another base, or the format has not what it would take
     */
    <T> T as(BiFunction<LoraAdapter, ModelConfig, T> format, Arena arena, Terminal terminal) {
        ModelConfig config = ModelConfig.read(model);
        try (CausalLanguageModel base = CausalLanguageModel.planned(config, Optional.empty());
                PeftAdapter stored = PeftAdapter.open(adapter)) {
            stored.requirePlain("the export");
            AdapterNotes.prefix(adapter, List.of(), terminal);
            LoraAdapter loaded = stored.load(base.decoder(), arena);
            try {
                return format.apply(loaded, config);
            } catch (RankineException e) {
                throw new RankineException(adapter + ": " + e.getMessage(), e);
            }
        }
    }

    /** "1 module", "14 modules". */
    static String count(int modules) {
        return modules + (modules == 1 ? " module" : " modules");
    }
}
