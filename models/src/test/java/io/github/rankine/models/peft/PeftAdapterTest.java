package io.github.rankine.models.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.AdapterWeights;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.safetensors.RawSafetensors;
import io.github.rankine.models.safetensors.SafetensorsFile;
import io.github.rankine.models.safetensors.SafetensorsWriter;
import io.github.rankine.models.safetensors.SafetensorsWriter.Entry;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

class PeftAdapterTest {
    static final List<String> CASES = Fixtures.CASES;

    private static final ModelCard CARD =
            ModelCard.trained(100_000, "train.jsonl", 1200, 34_567, 0.12345, OptionalDouble.of(0.5));

    @TempDir
    Path folder;

    private void fixture(String name, String header) throws IOException {
        Path adapter = Fixtures.folder("llama-untied-llama3rope").resolve("adapter");
        Files.copy(adapter.resolve(PeftConfig.FILE), folder.resolve(PeftConfig.FILE));
        Files.write(
                folder.resolve(PeftAdapter.WEIGHTS),
                RawSafetensors.bytes(header, RawSafetensors.data(adapter.resolve(name))));
    }

    private void refused(String from, String to, String complaint) throws IOException {
        Path weights =
                Fixtures.folder("llama-untied-llama3rope").resolve("adapter").resolve(PeftAdapter.WEIGHTS);
        String header = RawSafetensors.header(weights);
        assertThat(header).contains(from);
        fixture(PeftAdapter.WEIGHTS, header.replace(from, to));
        assertThatThrownBy(() -> PeftAdapter.open(folder))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith(folder.resolve(PeftAdapter.WEIGHTS) + ": ")
                .hasMessageContaining(complaint);
    }

    @ParameterizedTest
    @FieldSource("CASES")
    void writesTheTensorsThatPeftWrites(String name) {
        Path original = Fixtures.folder(name).resolve("adapter");
        try (PeftAdapter adapter = PeftAdapter.open(original)) {
            PeftAdapter.write(folder, adapter.config(), adapter.weights(), CARD);
        }
        assertThat(folder.resolve(PeftAdapter.WEIGHTS)).hasSameBinaryContentAs(original.resolve(PeftAdapter.WEIGHTS));
        assertThat(folder.resolve(PeftConfig.FILE)).hasSameTextualContentAs(original.resolve(PeftConfig.FILE));
    }

    @Test
    void namesModulesAsTheBaseModelDoes() {
        try (PeftAdapter adapter = PeftAdapter.open(Fixtures.folder("gpt2").resolve("adapter"))) {
            assertThat(adapter.modules())
                    .hasSize(8)
                    .containsKeys("transformer.h.0.attn.c_attn", "transformer.h.1.mlp.c_proj");
            LoraWeights attention = adapter.modules().get("transformer.h.0.attn.c_attn");
            assertThat(attention.rank()).isEqualTo(4);
            assertThat(List.of(attention.a().rows(), attention.a().cols())).containsExactly(4L, 64L);
            assertThat(List.of(attention.b().rows(), attention.b().cols())).containsExactly(192L, 4L);
            assertThat(adapter.config().fanInFanOut()).isTrue();
            assertThat(adapter.parameters()).isEqualTo(2 * 4 * (64 + 192 + 64 + 64 + 64 + 256 + 256 + 64));
        }
    }

    @Test
    void readsHalfPrecisionAndWritesFloat32() {
        try (Arena arena = Arena.ofConfined()) {
            Weight a = Tensor.copyOf(arena, 1, 2, 0.5f, -3).asWeight();
            Weight b = Tensor.copyOf(arena, 2, 1, 4, 0.25f).asWeight();
            PeftConfig config = new PeftConfig(
                    LoraConfig.of(1, 2, new ModuleSelector.Suffixes(List.of("q"))),
                    Optional.empty(),
                    false,
                    Optional.empty());
            PeftAdapter.write(folder, config, AdapterWeights.of(Map.of("m.q", new LoraWeights(a, b))), CARD);
            SafetensorsWriter.write(
                    folder.resolve(PeftAdapter.WEIGHTS),
                    Map.of(),
                    List.of(
                            Entry.of("base_model.model.m.q.lora_A.weight", a, DType.BF16),
                            Entry.of("base_model.model.m.q.lora_B.weight", b, DType.F16)));
            try (PeftAdapter half = PeftAdapter.open(folder)) {
                LoraWeights weights = half.modules().get("m.q");
                assertThat(weights.a().storage()).isEqualTo("BF16");
                assertThat(weights.b().get(1, 0)).isEqualTo(0.25f);
                // Over the very file that is mapped.
                PeftAdapter.write(folder, config, half.weights(), CARD);
            }
            try (SafetensorsFile file = SafetensorsFile.open(folder.resolve(PeftAdapter.WEIGHTS))) {
                assertThat(file.metadata()).containsExactly(Map.entry("format", "pt"));
                DenseWeight written = file.weight("base_model.model.m.q.lora_A.weight");
                assertThat(written.type()).isEqualTo(DType.F32);
                assertThat(written.get(0, 1)).isEqualTo(-3);
            }
        }
    }

    /** As PEFT does when the output head is a target. */
    private static void writeWithBaseLayer(Path folder, Weight baseLayer, DType type) {
        try (Arena arena = Arena.ofConfined()) {
            Weight a = Tensor.allocate(arena, 1, baseLayer.cols()).asWeight();
            Weight b = Tensor.allocate(arena, baseLayer.rows(), 1).asWeight();
            PeftConfig config = new PeftConfig(
                    LoraConfig.of(1, 2, new ModuleSelector.Suffixes(List.of("lm_head"))),
                    Optional.empty(),
                    false,
                    Optional.empty());
            PeftAdapter.write(folder, config, AdapterWeights.of(Map.of("lm_head", new LoraWeights(a, b))), CARD);
            SafetensorsWriter.write(
                    folder.resolve(PeftAdapter.WEIGHTS),
                    Map.of(),
                    List.of(
                            Entry.of("base_model.model.lm_head.base_layer.weight", baseLayer, type),
                            Entry.of("base_model.model.lm_head.lora_A.weight", a, DType.F32),
                            Entry.of("base_model.model.lm_head.lora_B.weight", b, DType.F32)));
        }
    }

    @Test
    void takesTheHeadsOwnWeightThatPeftSavesWhereItIsTheBases() {
        try (Arena arena = Arena.ofConfined();
                CausalLanguageModel model = CausalLanguageModel.open(
                        Fixtures.folder("llama-untied-llama3rope").resolve("model"))) {
            Weight head = model.decoder().linears().getLast().weight().value();
            for (DType type : List.of(DType.F32, DType.BF16)) {
                writeWithBaseLayer(folder, head, type);
                try (PeftAdapter adapter = PeftAdapter.open(folder)) {
                    assertThat(adapter.modules()).containsOnlyKeys("lm_head");
                    assertThat(adapter.load(model.decoder(), arena).modules()).containsOnlyKeys("lm_head");
                }
            }
            Tensor other = head.toTensor(arena);
            DType.F32.write(other.segment(), other.size() - 1, 7);
            writeWithBaseLayer(folder, other.asWeight(), DType.F32);
            try (PeftAdapter adapter = PeftAdapter.open(folder)) {
                assertThatThrownBy(() -> adapter.load(model.decoder(), arena))
                        .isInstanceOf(RankineException.class)
                        .hasMessage(folder.resolve(PeftAdapter.WEIGHTS)
                                + ": tensor 'base_model.model.lm_head.base_layer.weight': not the base's"
                                + " lm_head.weight; name the model that the adapter was trained over");
                // A base of shapes alone has no weights that could differ.
                try (CausalLanguageModel planned = CausalLanguageModel.planned(model.config(), Optional.empty())) {
                    assertThat(adapter.load(planned.decoder(), arena).modules()).containsOnlyKeys("lm_head");
                }
            }
        }
    }

    @Test
    void refusesMatricesThatDoNotFitTheConfiguration() throws IOException {
        refused(
                "layers.0.self_attn.q_proj.lora_A.weight\":{\"dtype\":\"F32\",\"shape\":[4,64]",
                "layers.0.self_attn.q_proj.lora_A.weight\":{\"dtype\":\"F32\",\"shape\":[8,32]",
                "module 'model.layers.0.self_attn.q_proj': lora_A [8, 32] and lora_B [64, 4], expected [4, in] and"
                        + " [out, 4]");
    }

    @Test
    void refusesMatricesOfOtherDimensions() throws IOException {
        refused("\"shape\":[32,4]", "\"shape\":[128]", "v_proj.lora_B.weight': shape [128], expected a matrix");
    }

    @Test
    void refusesAMissingHalf() throws IOException {
        refused(
                "layers.1.self_attn.v_proj.lora_B.weight",
                "layers.9.self_attn.v_proj.lora_B.weight",
                "no tensor 'base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight'");
    }

    @Test
    void refusesOtherTensorsByName() throws IOException {
        refused(
                "q_proj.lora_A.weight",
                "q_proj.lora_magnitude_vector",
                "no tensor 'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight'");
    }

    @Test
    void refusesUnknownTensorsByName() throws IOException {
        refused(
                "q_proj.lora_A.weight",
                "q_proj.lora_C.weight",
                "tensor 'base_model.model.model.layers.0.self_attn.q_proj.lora_C.weight': not a LoRA matrix");
    }

    @Test
    void refusesIntegersByName() throws IOException {
        refused("\"F32\"", "\"I32\"", "type I32, expected F32, BF16, F16");
    }

    @Test
    void saysWhatIsMissing() throws IOException {
        assertThatThrownBy(() -> PeftAdapter.open(folder.resolve("none"))).hasMessageContaining("no such folder");
        assertThatThrownBy(() -> PeftAdapter.open(folder))
                .hasMessageContaining("no adapter_config.json; expected a PEFT");
        Files.writeString(folder.resolve(PeftConfig.FILE), "{}");
        assertThatThrownBy(() -> PeftAdapter.open(folder))
                .hasMessageContaining("no adapter_model.safetensors; the adapter");
        Files.createFile(folder.resolve("adapter_model.bin"));
        assertThatThrownBy(() -> PeftAdapter.open(folder))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("only adapter_model.bin");
    }

    @Test
    void writesACardThatTheHubReads() throws IOException {
        try (PeftAdapter adapter =
                PeftAdapter.open(Fixtures.folder("qwen2-bias").resolve("adapter"))) {
            PeftConfig named =
                    new PeftConfig(adapter.config().lora(), Optional.of("some/it's\nbase"), false, Optional.empty());
            PeftAdapter.write(folder, named, adapter.weights(), CARD);
        }
        assertThat(Files.readString(folder.resolve(ModelCard.FILE)))
                .startsWith("""
                    ---
                    base_model: 'some/it''s base'
                    library_name: peft
                    pipeline_tag: text-generation
                    tags:
                    - 'base_model:adapter:some/it''s base'
                    - lora
                    - transformers
                    ---

                    # LoRA adapter of some/it's base
                    """)
                .contains(
                        "- **Rank:** 8\n- **Alpha:** 32\n- **Scaling:** alpha / sqrt(rank)\n",
                        "- **Trained parameters:** 17,920 of 100,000 (17.9200 %)\n",
                        "- **Data:** train.jsonl\n"
                                + "- **Steps:** 1,200\n"
                                + "- **Tokens:** 34,567\n"
                                + "- **Final loss:** 0.1235\n"
                                + "- **Held-out loss:** 0.5000\n")
                .doesNotContain("%s", "null");
    }

    /** Nothing is known of its base's size. */
    @Test
    void theCardOfACombinationSaysWhatItIsOf() {
        ModelCard card = ModelCard.combined(List.of("0.7 x a\nb", "-0.5 x c"), "svd", OptionalDouble.of(0.98765));
        try (PeftAdapter adapter =
                PeftAdapter.open(Fixtures.folder("qwen2-bias").resolve("adapter"))) {
            PeftAdapter.write(folder, adapter.config(), adapter.weights(), card);
        }
        assertThat(folder.resolve(ModelCard.FILE))
                .content()
                .contains(
                        "- **Trained parameters:** 17,920\n",
                        "## Combination\n\n"
                                + "- **Method:** svd\n"
                                + "- **Of:** 0.7 x a b\n"
                                + "- **Of:** -0.5 x c\n"
                                + "- **Energy kept:** 98.77 % of the combined update\n")
                .doesNotContain("%s", "null");
    }
}
