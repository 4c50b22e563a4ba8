package io.github.rankine.models.run;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.AdapterWeights;
import io.github.rankine.engine.lora.LinearShape;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.prefix.Prefix;
import io.github.rankine.engine.prefix.PrefixConfig;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.train.MemoryPlan;
import io.github.rankine.engine.train.TrainingConfig;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.peft.ModelCard;
import io.github.rankine.models.peft.PeftAdapter;
import io.github.rankine.models.peft.PeftConfig;
import io.github.rankine.models.peft.PeftPrefix;
import io.github.rankine.models.safetensors.Checkpoint;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What a run trains, and the files that it becomes. */
public sealed interface Trainee {
    /** Makes the decoder compute with it from here on. */
    void activate(Decoder decoder);

    /** What steps change. */
    List<Parameter> parameters();

    /** What the run's result follows from beside its configuration, model and data, by name. */
    Map<String, String> settings();

    /** The memory that training it takes. */
    MemoryPlan plan(CausalLanguageModel model, TrainingData data, TrainingConfig config);

    /** Writes it as it is now, each file replaced whole. */
    void write(CausalLanguageModel model, Path folder, ModelCard card);

    /** Names of the files that make it up. */
    List<String> files();

    /**
     * An adapter over a frozen base.
     *
     * @param convert whether a PiSSA adapter is written as plain LoRA over the base itself, of twice the rank
     */
    record Adapter(LoraAdapter adapter, boolean convert) implements Trainee {
        /** One that is written as what it is. */
        public Adapter(LoraAdapter adapter) {
            this(adapter, false);
        }

        @Override
        public void activate(Decoder decoder) {
            decoder.activate(adapter);
        }

        @Override
        public List<Parameter> parameters() {
            return adapter.parameters();
        }

        @Override
        public Map<String, String> settings() {
            Map<String, String> settings = new LinkedHashMap<>();
            Settings.putAll(settings, adapter.config());
            settings.put("convert-to-lora", String.valueOf(convert));
            settings.put("initial-adapter", Settings.fingerprintOf(adapter.parameters()));
            return settings;
        }

        @Override
        public MemoryPlan plan(CausalLanguageModel model, TrainingData data, TrainingConfig config) {
            return FineTune.plan(model, Optional.of(adapter.config()), Optional.empty(), data, config);
        }

        @Override
        public void write(CausalLanguageModel model, Path folder, ModelCard card) {
            boolean transposed = model.decoder().linearShapes().stream()
                    .filter(linear -> adapter.modules().containsKey(linear.name()))
                    .anyMatch(LinearShape::transposed);
            Optional<String> base =
                    model.checkpoint().map(checkpoint -> checkpoint.folder().toString());
            try (Arena arena = Arena.ofShared()) {
                LoraConfig config = convert ? adapter.config().doubled() : adapter.config();
                AdapterWeights weights = convert ? adapter.asLora(arena).orElseThrow() : adapter.stored(arena);
                PeftAdapter.write(
                        folder, new PeftConfig(config, base, transposed, model.quantization()), weights, card);
            }
        }

        @Override
        public List<String> files() {
            return List.of(PeftConfig.FILE, PeftAdapter.WEIGHTS, ModelCard.FILE);
        }
    }

    /**
     * Virtual tokens before every sequence of a frozen base, alone or beside an adapter. Alone they are what the folder holds; beside an
     * adapter they have one of their own in it, for PEFT's format has one kind a folder.
     *
     * @param prefix  the virtual tokens
     * @param config  what they are like
     * @param adapter what is trained in the same run, or nothing
     * @param kernels what the stored rows are computed with
     */
    record Prefixed(Prefix prefix, PrefixConfig config, Optional<Adapter> adapter, Kernels kernels) implements Trainee {
        @Override
        public void activate(Decoder decoder) {
            adapter.ifPresent(beside -> beside.activate(decoder));
            decoder.usePrefix(prefix);
        }

        @Override
        public List<Parameter> parameters() {
            return Stream.concat(
                            adapter.stream().flatMap(beside -> beside.parameters().stream()),
                            prefix.parameters().stream())
                    .toList();
        }

        @Override
        public Map<String, String> settings() {
            Map<String, String> settings = new LinkedHashMap<>();
            adapter.ifPresent(beside -> settings.putAll(beside.settings()));
            Settings.putAll(settings, config);
            settings.put("initial-prefix", Settings.fingerprintOf(prefix.parameters()));
            return settings;
        }

        @Override
        public MemoryPlan plan(CausalLanguageModel model, TrainingData data, TrainingConfig training) {
            Optional<LoraConfig> lora = adapter.map(beside -> beside.adapter().config());
            return FineTune.plan(model, lora, Optional.of(config), data, training);
        }

        @Override
        public void write(CausalLanguageModel model, Path folder, ModelCard card) {
            adapter.ifPresent(beside -> beside.write(model, folder, card));
            Optional<String> base =
                    model.checkpoint().map(checkpoint -> checkpoint.folder().toString());
            try (Arena arena = Arena.ofShared()) {
                Path own = adapter.isPresent() ? folder.resolve(PeftPrefix.FOLDER) : folder;
                PeftPrefix.write(own, prefix.computed(kernels, arena), config, model.config(), base, card);
            }
        }

        @Override
        public List<String> files() {
            String own = adapter.isPresent() ? PeftPrefix.FOLDER + "/" : "";
            return Stream.concat(
                            adapter.stream().flatMap(beside -> beside.files().stream()),
                            Stream.of(PeftConfig.FILE, PeftAdapter.WEIGHTS, ModelCard.FILE)
                                    .map(own::concat))
                    .toList();
        }
    }

    /**
     * Weights themselves, of a model that was {@linkplain CausalLanguageModel#openForTraining opened for that}.
     *
     * @param description which weights, in words
     * @param parameters  those weights
     * @param type        what all weights are rounded to when they are written
     */
    record Weights(String description, List<Parameter> parameters, DType type) implements Trainee {
        public Weights {
            parameters = List.copyOf(parameters);
        }

        @Override
        public void activate(Decoder decoder) {
            // They are the decoder's own.
        }

        @Override
        public Map<String, String> settings() {
            return Map.of("trained-weights", description, "dtype", type.toString());
        }

        @Override
        public MemoryPlan plan(CausalLanguageModel model, TrainingData data, TrainingConfig config) {
            Set<String> names = parameters.stream().map(Parameter::name).collect(Collectors.toSet());
            return FineTune.planWeights(
                    model.config(),
                    decoder -> decoder.parameters().stream()
                            .filter(parameter -> names.contains(parameter.name()))
                            .toList(),
                    data,
                    config);
        }

        @Override
        public void write(CausalLanguageModel model, Path folder, ModelCard card) {
            model.saveTrained(folder, type);
        }

        @Override
        public List<String> files() {
            return List.of(Checkpoint.SINGLE, ModelConfig.FILE);
        }
    }
}
