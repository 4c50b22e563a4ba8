package io.github.rankine.models.family;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.generate.Logits;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.nn.Linear;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.tensor.QuantizedWeight;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.peft.PeftAdapter;
import io.github.rankine.models.safetensors.Checkpoint;
import io.github.rankine.models.safetensors.SafetensorsWriter;
import io.github.rankine.models.safetensors.SafetensorsWriter.Content;
import io.github.rankine.models.safetensors.SafetensorsWriter.Entry;
import io.github.rankine.models.safetensors.StoredType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class QuantizedCheckpointTest {
    private static final int[] IDS = {5, 9, 300, 17, 4, 250, 33, 8};
    private static final Path NF4 = Fixtures.folder("llama-nf4").resolve("model");
    private static final String QUERY = "model.layers.0.self_attn.q_proj.weight";

    @TempDir
    Path folder;

    private static float[] logits(CausalLanguageModel model) {
        try (Kernels kernels = KernelsLookup.named("vector", 2);
                Arena arena = Arena.ofShared()) {
            Tensor logits = Tensor.allocate(arena, IDS.length, model.decoder().vocabularySize());
            Logits.of(model.decoder(), kernels, IDS, logits);
            return logits.toArray();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama-gqa", "gpt2"})
    void whatIsWrittenIsWhatIsQuantizedOnLoading(String name) {
        Path model = Fixtures.folder(name).resolve("model");
        Path output = folder.resolve("out");
        try (CausalLanguageModel base = CausalLanguageModel.open(model);
                CausalLanguageModel loaded = CausalLanguageModel.open(model, Optional.of(QuantizedType.NF4))) {
            base.saveQuantized(output);
            try (CausalLanguageModel written = CausalLanguageModel.open(output)) {
                assertThat(written.quantization()).contains(QuantizedType.NF4);
                assertThat(logits(written)).isEqualTo(logits(loaded)).isNotEqualTo(logits(base));
                assertThatThrownBy(() -> written.saveQuantized(folder.resolve("again")))
                        .isInstanceOf(RankineException.class)
                        .hasMessageContaining("quantised already");
            }
            assertThatThrownBy(() -> CausalLanguageModel.open(output, Optional.of(QuantizedType.INT8)))
                    .isInstanceOf(RankineException.class)
                    .hasMessageContaining("leave out --quantize");
        }
    }

    /** The fixture's codes were made by NumPy: the same tensors, byte for byte, but for the text of the state. */
    @ParameterizedTest
    @ValueSource(strings = {"llama-gqa llama-nf4", "gpt2 gpt2-nf4"})
    void theTensorsAreThoseOfTheIndependentImplementation(String names) {
        Path model = Fixtures.folder(names.split(" ")[0]).resolve("model");
        try (CausalLanguageModel base = CausalLanguageModel.open(model)) {
            base.saveQuantized(folder.resolve("out"));
        }
        try (Checkpoint ours = Checkpoint.open(folder.resolve("out"));
                Checkpoint theirs =
                        Checkpoint.open(Fixtures.folder(names.split(" ")[1]).resolve("model"))) {
            assertThat(ours.tensors()).hasSameSizeAs(theirs.tensors());
            theirs.tensors().stream()
                    .filter(t -> !t.name().contains("quant_state"))
                    .forEach(tensor -> {
                        assertThat(ours.info(tensor.name()).shape())
                                .as(tensor.name())
                                .isEqualTo(tensor.shape());
                        assertThat(ours.bytes(tensor.name()).mismatch(theirs.bytes(tensor.name())))
                                .as(tensor.name())
                                .isEqualTo(-1);
                    });
        }
    }

    @ParameterizedTest
    @EnumSource(QuantizedType.class)
    void everythingButLinearLayersStaysAsItIs(QuantizedType type) {
        Path model = Fixtures.folder("llama-untied-llama3rope").resolve("model");
        try (CausalLanguageModel loaded = CausalLanguageModel.open(model, Optional.of(type));
                CausalLanguageModel planned = CausalLanguageModel.planned(loaded.config(), Optional.of(type))) {
            for (Linear linear : loaded.decoder().linears()) {
                assertThat(linear.weight().value() instanceof QuantizedWeight)
                        .as(linear.name())
                        .isEqualTo(!linear.shape().head());
            }
            assertThat(planned.decoder().parameters().stream()
                            .map(p -> p.value().bytes()))
                    .isEqualTo(loaded.decoder().parameters().stream()
                            .map(p -> p.value().bytes())
                            .toList());
        }
    }

    /** Merged weights are float32 sums with what the codes stand for, whichever layer has an adapter. */
    @ParameterizedTest
    @ValueSource(strings = {"llama-nf4", "gpt2-nf4"})
    void mergingGoesIntoTheDequantizedWeights(String name) {
        Path merged = folder.resolve("merged");
        try (CausalLanguageModel base =
                        CausalLanguageModel.open(Fixtures.folder(name).resolve("model"));
                Kernels kernels = KernelsLookup.named("vector", 2);
                Arena arena = Arena.ofShared();
                PeftAdapter stored = PeftAdapter.open(Fixtures.folder(name).resolve("adapter"))) {
            LoraAdapter adapter = stored.load(base.decoder(), arena);
            base.saveMerged(merged, adapter, kernels, Optional.empty());
            base.decoder().activate(adapter);
            try (CausalLanguageModel dense = CausalLanguageModel.open(merged)) {
                assertThat(dense.config().quantization()).isEmpty();
                float[] expected = logits(base);
                float[] actual = logits(dense);
                for (int i = 0; i < expected.length; i++) {
                    assertThat(actual[i]).isCloseTo(expected[i], org.assertj.core.api.Assertions.within(2e-4f));
                }
            }
        }
    }

    private void writeChanged(UnaryOperator<Entry> change) throws IOException {
        Files.createDirectories(folder);
        Files.copy(NF4.resolve(ModelConfig.FILE), folder.resolve(ModelConfig.FILE));
        try (Checkpoint checkpoint = Checkpoint.open(NF4)) {
            List<Entry> entries = new ArrayList<>();
            checkpoint.tensors().forEach(tensor -> {
                Entry changed = change.apply(Entry.copyOf(tensor, checkpoint.bytes(tensor.name())));
                if (changed != null) {
                    entries.add(changed);
                }
            });
            SafetensorsWriter.write(folder.resolve(Checkpoint.SINGLE), Map.of(), entries);
        }
    }

    private void assertRefused(String... parts) {
        assertThatThrownBy(() -> CausalLanguageModel.open(folder).close())
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith(folder.toString())
                .message()
                .contains(parts)
                .doesNotContain("\n");
    }

    private static Entry bytes(String name, StoredType type, long count) {
        return new Entry(
                name, type, List.of(count), Content.of(MemorySegment.ofArray(new byte[(int) count * type.bits() / 8])));
    }

    @Test
    void refusesAWrongNumberOfBlocks() throws IOException {
        writeChanged(entry -> entry.name().equals(QUERY + ".absmax") ? bytes(entry.name(), StoredType.U8, 63) : entry);
        assertRefused("'" + QUERY + ".absmax'", "expected 64", "64 blocks");
    }

    @Test
    void refusesAWrongNumberOfCodes() throws IOException {
        writeChanged(entry -> entry.name().equals(QUERY) ? bytes(entry.name(), StoredType.U8, 2000) : entry);
        assertRefused("'" + QUERY + "'", "expected 2048");
    }

    @Test
    void refusesAnUnknownQuantisationState() throws IOException {
        writeChanged(entry -> entry.name().startsWith(QUERY + ".quant_state")
                ? bytes(QUERY + ".quant_state.bitsandbytes__fp4", StoredType.U8, 10)
                : entry);
        assertRefused("'" + QUERY + "'", "unknown quantisation state 'quant_state.bitsandbytes__fp4'");
    }

    @Test
    void refusesAMissingState() throws IOException {
        writeChanged(entry -> entry.name().startsWith(QUERY + ".quant_state") ? null : entry);
        assertRefused("'" + QUERY + "'", "no quantisation state");
    }

    @Test
    void refusesOtherValuesOfTheCodes() throws IOException {
        writeChanged(
                entry -> entry.name().equals(QUERY + ".quant_map") ? bytes(entry.name(), StoredType.F32, 16) : entry);
        assertRefused("'" + QUERY + ".quant_map'", "not the values of NF4");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"quant_type\": \"fp4\"}",
                "not JSON",
                "{\"quant_type\": \"nf4\", \"blocksize\": 63, \"shape\": [64, 64]}",
                "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"shape\": [64, 63]}",
                "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"shape\": [64, 64], \"nested_blocksize\": 256}"
            })
    void refusesADamagedState(String json) throws IOException {
        byte[] text = json.getBytes(StandardCharsets.UTF_8);
        writeChanged(entry -> entry.name().startsWith(QUERY + ".quant_state")
                ? new Entry(
                        entry.name(),
                        StoredType.U8,
                        List.of((long) text.length),
                        Content.of(MemorySegment.ofArray(text)))
                : entry);
        assertRefused(QUERY + ".quant_state.bitsandbytes__nf4");
    }

    @Test
    void aWeightThatIsNotANumberIsRefused() throws IOException {
        Path source = Fixtures.folder("llama-gqa").resolve("model");
        Files.copy(source.resolve(ModelConfig.FILE), folder.resolve(ModelConfig.FILE));
        try (Checkpoint checkpoint = Checkpoint.open(source);
                Arena arena = Arena.ofConfined()) {
            List<Entry> entries = new ArrayList<>();
            checkpoint.tensors().forEach(tensor -> {
                if (tensor.name().equals(QUERY)) {
                    Tensor bad = checkpoint.weight(QUERY, 64, 64).toTensor(arena);
                    bad.set(3, 4, Float.NaN);
                    entries.add(Entry.of(QUERY, bad.asWeight(), DType.F32));
                } else {
                    entries.add(Entry.copyOf(tensor, checkpoint.bytes(tensor.name())));
                }
            });
            SafetensorsWriter.write(folder.resolve(Checkpoint.SINGLE), Map.of(), entries);
        }
        assertThatThrownBy(() -> CausalLanguageModel.open(folder, Optional.of(QuantizedType.NF4)))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("'" + QUERY + "'");
    }
}
