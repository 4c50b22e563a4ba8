package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.lora.AdapterWeights;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import io.github.rankine.models.peft.ModelCard;
import io.github.rankine.models.peft.PeftAdapter;
import io.github.rankine.models.peft.PeftConfig;
import io.github.rankine.models.safetensors.Checkpoint;
import io.github.rankine.models.safetensors.SafetensorsFile;
import io.github.rankine.models.safetensors.SafetensorsWriter;
import io.github.rankine.models.safetensors.StoredType;
import io.github.rankine.models.safetensors.TensorInfo;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MergeCommandTest {
    @TempDir
    Path temp;

    @ParameterizedTest
    @ValueSource(strings = {"llama-gqa", "llama-untied-llama3rope", "qwen2-bias", "gpt2"})
    void theMergedModelComputesWhatBaseAndAdapterDo(String name) throws IOException {
        Fixture fixture = Fixture.of(name);
        Path output = temp.resolve("merged");
        CommandLineRun run = merge(fixture.model(), fixture.adapter(), output);
        assertThat(run.err()).isEmpty();
        assertThat(run.out()).startsWith(output + ": a checkpoint with ");
        assertSameLogits(logits(output), logits(fixture.model(), fixture.adapter()));
        assertThat(files(output)).containsExactly("config.json", "generation_config.json", "model.safetensors");
        for (String file : List.of("config.json", "generation_config.json")) {
            assertThat(output.resolve(file))
                    .hasSameTextualContentAs(fixture.model().resolve(file));
        }
    }

    @Test
    void sumsAreRoundedOnceFromFloat32() {
        Fixture fixture = Fixture.of("llama-gqa");
        assertThat(merge(fixture.model(), fixture.adapter(), temp.resolve("f32"))
                        .exitCode())
                .isZero();
        assertThat(merge(fixture.model(), fixture.adapter(), temp.resolve("bf16"), "--dtype", "bfloat16")
                        .exitCode())
                .isZero();
        try (Checkpoint wide = Checkpoint.open(temp.resolve("f32"));
                Checkpoint narrow = Checkpoint.open(temp.resolve("bf16"))) {
            assertThat(narrow.tensors()).hasSameSizeAs(wide.tensors()).allSatisfy(tensor -> {
                assertThat(tensor.type()).isEqualTo(StoredType.BF16);
                assertThat(tensor.shape()).isEqualTo(wide.info(tensor.name()).shape());
                MemorySegment rounded = MemorySegment.ofArray(new byte[2]);
                for (long i = 0; i < tensor.elements(); i++) {
                    DType.BF16.write(rounded, 0, DType.F32.read(wide.bytes(tensor.name()), i));
                    assertThat(DType.BF16.read(narrow.bytes(tensor.name()), i)).isEqualTo(DType.BF16.read(rounded, 0));
                }
            });
        }
        assertThat(Json.readObject(temp.resolve("bf16/config.json")).string("dtype"))
                .isEqualTo("bfloat16");
        assertThat(ModelConfig.read(temp.resolve("bf16")).dtype()).contains(DType.BF16);
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama-gqa", "gpt2"})
    void aTiedHeadWithAnAdapterLeavesTheEmbeddingAsItIs(String name) throws IOException {
        Fixture fixture = Fixture.of(name);
        Path adapter = headAdapter();
        Path output = temp.resolve("merged");
        assertThat(merge(fixture.model(), adapter, output).exitCode()).isZero();

        float[] expected = logits(fixture.model(), adapter);
        assertSameLogits(logits(output), expected);
        float[] base = logits(fixture.model());
        float largest = 0;
        for (int i = 0; i < base.length; i++) {
            largest = Math.max(largest, Math.abs(base[i] - expected[i]));
        }
        assertThat(largest).as("the adapter changes something").isGreaterThan(0.01f);

        JsonObject config = Json.readObject(output.resolve("config.json"));
        assertThat(config.flag("tie_word_embeddings", true)).isFalse();
        String embedding = name.equals("gpt2") ? "transformer.wte.weight" : "model.embed_tokens.weight";
        try (Checkpoint merged = Checkpoint.open(output);
                Checkpoint original = Checkpoint.open(fixture.model())) {
            assertThat(merged.bytes(embedding).mismatch(original.bytes(embedding)))
                    .isEqualTo(-1);
            assertThat(merged.info("lm_head.weight").shape()).isEqualTo(List.of(320L, 64L));
        }
    }

    @Test
    void shardsBareNamesAndTensorsThatNoLayerUsesAreCarriedOver() throws IOException {
        Fixture fixture = Fixture.of("gpt2");
        Path base = temp.resolve("base");
        writeBareShards(fixture.model(), base);
        Path output = temp.resolve("merged");
        assertThat(merge(base, fixture.adapter(), output).exitCode()).isZero();

        assertSameLogits(logits(output), logits(fixture.model(), fixture.adapter()));
        try (Checkpoint merged = Checkpoint.open(output)) {
            assertThat(merged.info("transformer.counter").type()).isEqualTo(StoredType.I64);
            assertThat(merged.bytes("transformer.counter").get(ValueLayout.JAVA_LONG_UNALIGNED, 0))
                    .isEqualTo(7);
            assertThat(merged.tensors())
                    .extracting(TensorInfo::name)
                    .allSatisfy(tensor -> assertThat(tensor).startsWith("transformer."));
        }
        assertThat(files(output))
                .containsExactly(
                        "LICENSE", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json");
    }

    @Test
    void anOutputFolderThatHoldsSomethingElseIsLeftAlone() throws IOException {
        Fixture fixture = Fixture.of("llama-gqa");
        Path output = Files.createDirectory(temp.resolve("taken"));
        Files.writeString(output.resolve("thesis.txt"), "mine");
        CommandLineRun refused = merge(fixture.model(), fixture.adapter(), output);
        assertThat(refused.exitCode()).isEqualTo(1);
        assertThat(refused.err()).contains("the output folder holds something else, such as thesis.txt");
        assertThat(files(output)).containsExactly("thesis.txt");
        assertThat(merge(fixture.model(), fixture.adapter(), fixture.model()).err())
                .contains("holds something else, such as config.json");
        assertThat(merge(fixture.model(), fixture.adapter(), output.resolve("thesis.txt"))
                        .err())
                .contains("a file of that name exists");
    }

    @Test
    void whatAKilledMergeLeftIsOverwritten() throws IOException {
        Fixture fixture = Fixture.of("llama-gqa");
        Path output = Files.createDirectory(temp.resolve("killed"));
        Files.writeString(output.resolve("model.safetensors.tmp"), "half");
        assertThat(merge(fixture.model(), fixture.adapter(), output).exitCode()).isZero();
        assertThat(files(output)).containsExactly("config.json", "generation_config.json", "model.safetensors");
    }

    @Test
    void anAdapterForAnotherBaseIsRefusedBeforeAnythingIsWritten() {
        CommandLineRun run =
                merge(Fixture.of("gpt2").model(), Fixture.of("llama-gqa").adapter(), temp.resolve("merged"));
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.err()).contains("adapter_model.safetensors: ").contains("made for another base model");
        assertThat(temp.resolve("merged")).doesNotExist();
        assertThat(merge(Path.of("m"), Path.of("a"), Path.of("o"), "--dtype", "int8")
                        .exitCode())
                .isEqualTo(2);
    }

    private static CommandLineRun merge(Path model, Path adapter, Path output, Object... options) {
        List<Object> args =
                new ArrayList<>(List.of("merge", "--model", model, "--adapter", adapter, "--output", output));
        args.addAll(List.of(options));
        return CommandLineRun.of(args.toArray());
    }

    private float[] logits(Path model, Path... adapters) {
        Path file = temp.resolve("logits.safetensors");
        List<Object> args = new ArrayList<>(
                List.of("logits", "--model", model, "--tokens", "5,17,200,33,44,310,7", "--output", file));
        for (Path adapter : adapters) {
            args.addAll(List.of("--adapter", adapter));
        }
        assertThat(CommandLineRun.of(args.toArray()).exitCode()).isZero();
        try (SafetensorsFile logits = SafetensorsFile.open(file)) {
            return logits.bytes("logits").toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
        }
    }

    private static void assertSameLogits(float[] actual, float[] expected) {
        assertThat(actual).hasSameSizeAs(expected);
        float largest = 0;
        for (float value : expected) {
            largest = Math.max(largest, Math.abs(value));
        }
        assertThat(actual).containsExactly(expected, offset(1e-5f * largest));
    }

    private static List<String> files(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    /** An adapter of the output head alone. */
    private Path headAdapter() {
        Path folder = temp.resolve("head-adapter");
        Random random = new Random(4);
        try (Arena arena = Arena.ofConfined()) {
            Tensor a = Tensor.allocate(arena, 4, 64);
            Tensor b = Tensor.allocate(arena, 320, 4);
            for (Tensor factor : List.of(a, b)) {
                for (long i = 0; i < factor.size(); i++) {
                    factor.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian() * 0.1f);
                }
            }
            PeftAdapter.write(
                    folder,
                    new PeftConfig(
                            LoraConfig.of(4, 8, new ModuleSelector.Suffixes(List.of("lm_head"))),
                            Optional.empty(),
                            false,
                            Optional.empty()),
                    AdapterWeights.of(Map.of("lm_head", new LoraWeights(a.asWeight(), b.asWeight()))),
                    ModelCard.trained(1, "none", 1, 1, 1, OptionalDouble.empty()));
        }
        return folder;
    }

    /** The same model as Transformers saves it without its head, in two shards, with a tensor that no layer uses. */
    private static void writeBareShards(Path model, Path folder) throws IOException {
        Files.createDirectories(folder);
        for (String file : List.of("config.json", "generation_config.json")) {
            Files.copy(model.resolve(file), folder.resolve(file));
        }
        Files.writeString(folder.resolve("LICENSE"), "terms");
        Files.writeString(folder.resolve("tokenizer.json"), "{}");
        Files.writeString(folder.resolve("training_args.bin"), "x");
        List<List<SafetensorsWriter.Entry>> shards = List.of(new ArrayList<>(), new ArrayList<>());
        ObjectNode index = Json.mapper().createObjectNode();
        try (Checkpoint checkpoint = Checkpoint.open(model)) {
            ObjectNode weightMap = index.putObject("weight_map");
            for (TensorInfo tensor : checkpoint.tensors()) {
                int shard = weightMap.size() % 2;
                String name = tensor.name().substring("transformer.".length());
                shards.get(shard)
                        .add(new SafetensorsWriter.Entry(
                                name,
                                tensor.type(),
                                tensor.shape(),
                                SafetensorsWriter.Content.of(checkpoint.bytes(tensor.name()))));
                weightMap.put(name, "part-" + shard + ".safetensors");
            }
            shards.get(0)
                    .add(new SafetensorsWriter.Entry(
                            "counter",
                            StoredType.I64,
                            List.of(1L),
                            SafetensorsWriter.Content.of(MemorySegment.ofArray(new byte[] {7, 0, 0, 0, 0, 0, 0, 0}))));
            weightMap.put("counter", "part-0.safetensors");
            for (int shard = 0; shard < 2; shard++) {
                SafetensorsWriter.write(
                        folder.resolve("part-" + shard + ".safetensors"), Map.of("format", "pt"), shards.get(shard));
            }
        }
        Files.writeString(folder.resolve(Checkpoint.INDEX), Json.write(index));
    }
}
