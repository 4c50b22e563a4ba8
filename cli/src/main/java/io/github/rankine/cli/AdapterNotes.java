package io.github.rankine.cli;

import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.models.peft.PeftConfig;
import io.github.rankine.models.peft.PeftPrefix;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** What is to be said of an adapter that would otherwise be used without what it was trained with. */
final class AdapterNotes {
    private AdapterNotes() {}

    /** Where the base was quantised in another way when the adapter was trained. */
    static void quantization(Path folder, PeftConfig config, Optional<QuantizedType> base, Terminal terminal) {
        config.baseQuantization()
                .filter(type -> !base.equals(Optional.of(type)))
                .map(QuantizeOption::name)
                .ifPresent(type -> terminal.note(folder + ": trained over its base in " + type
                        + ", which is not the model here; --quantize " + type + " gives it"));
    }

    /**
     * Where a prefix was trained with the adapter and is not used.
     *
     * @param used folders of adapters that are
     */
    static void prefix(Path folder, List<Path> used, Terminal terminal) {
        PeftPrefix.beside(folder)
                .filter(prefix -> !used.contains(prefix))
                .ifPresent(prefix -> terminal.note(folder + ": trained with the prefix in " + prefix
                        + ", which is left out here; generate and evaluate take both: --adapter " + folder
                        + " --adapter " + prefix));
    }
}
