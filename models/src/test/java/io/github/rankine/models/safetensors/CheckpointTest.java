package io.github.rankine.models.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.models.Fixtures;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;

class CheckpointTest {
    static final List<String> CASES = Fixtures.CASES;

    @TempDir
    Path folder;

    private void shards(String weightMap) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            SafetensorsWriter.write(
                    folder.resolve("model-00001-of-00002.safetensors"),
                    Map.of("format", "pt"),
                    List.of(SafetensorsWriter.Entry.of("a", Tensor.copyOf(arena, 1, 2, 1, 2))));
            SafetensorsWriter.write(
                    folder.resolve("model-00002-of-00002.safetensors"),
                    Map.of("format", "pt"),
                    List.of(SafetensorsWriter.Entry.of("b", Tensor.copyOf(arena, 2, 1, 3, 4))));
        }
        Files.writeString(
                folder.resolve(Checkpoint.INDEX),
                "{\"metadata\": {\"total_size\": 16}, \"weight_map\": " + weightMap + "}");
    }

    @ParameterizedTest
    @FieldSource("CASES")
    void opensASingleFile(String name) {
        try (Checkpoint checkpoint = Checkpoint.open(Fixtures.folder(name).resolve("model"))) {
            String embedding = name.equals("gpt2") ? "transformer.wte.weight" : "model.embed_tokens.weight";
            assertThat(checkpoint.has(embedding)).isTrue();
            DenseWeight weight = checkpoint.weight(embedding, 320, 64);
            assertThat(weight.type()).isEqualTo(DType.F32);
            assertThat(weight.data().isReadOnly()).isTrue();
            assertThat(checkpoint.bytes())
                    .isEqualTo(checkpoint.tensors().stream()
                            .mapToLong(TensorInfo::bytes)
                            .sum())
                    .isGreaterThan(300_000);
            assertThat(checkpoint.files()).hasSize(1);
        }
    }

    @Test
    void joinsShards() throws IOException {
        shards("""
            {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}\
            """);
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThat(checkpoint.files()).hasSize(2);
            assertThat(checkpoint.tensors()).extracting(TensorInfo::name).containsExactly("a", "b");
            assertThat(checkpoint.bytes()).isEqualTo(16);
            assertThat(checkpoint.weight("a", 1, 2).get(0, 1)).isEqualTo(2);
            assertThat(checkpoint.weight("b", 2, 1).get(1, 0)).isEqualTo(4);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"a\": \"../model-00001-of-00002.safetensors\"} | weight_map.a:"
                        + " '../model-00001-of-00002.safetensors' is not the name",
                "{\"a\": \"/etc/passwd\"}  | weight_map.a: '/etc/passwd' is not the name of a .safetensors file",
                "{\"a\": \"..\"}           | weight_map.a: '..' is not the name",
                "{\"a\": \"x\\u0000.safetensors\"} | weight_map.a: 'x .safetensors' is not the name",
                "{\"a\": \"gone.safetensors\"} | gone.safetensors: no such file, though model.safetensors.index.json"
                        + " names it",
                "{\"a\": \"model-00002-of-00002.safetensors\"} | weight_map: tensor 'a' is not in"
                        + " model-00002-of-00002.safetensors",
                "{\"a\": 3}                | weight_map.a: 3 found, expected a string",
                "{}                        | weight_map: an object found, expected an object that names a shard",
                "3                         | weight_map: 3 found, expected an object"
            })
    void refusesABadIndex(String weightMap, String complaint) throws IOException {
        shards(weightMap);
        assertThatThrownBy(() -> Checkpoint.open(folder))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith(folder.toString())
                .hasMessageContaining(complaint);
    }

    @Test
    void refusesOtherShapesByName() {
        try (Checkpoint checkpoint =
                Checkpoint.open(Fixtures.folder("llama-gqa").resolve("model"))) {
            assertThatThrownBy(() -> checkpoint.weight("model.layers.0.self_attn.k_proj.weight", 64, 64))
                    .isInstanceOf(RankineException.class)
                    .hasMessageContaining("model.safetensors: tensor 'model.layers.0.self_attn.k_proj.weight'")
                    .hasMessageContaining("shape [32, 64], expected [64, 64]");
            assertThatThrownBy(() -> checkpoint.weight("model.norm.weight", 1, 65))
                    .hasMessageContaining("shape [64], expected [65]");
            assertThatThrownBy(() -> checkpoint.weight("lm_head.weight", 320, 64))
                    .isInstanceOf(RankineException.class)
                    .hasMessageContaining("no tensor 'lm_head.weight' in model.safetensors");
        }
    }

    @Test
    void saysWhatAFolderWithoutWeightsHolds() throws IOException {
        assertThatThrownBy(() -> Checkpoint.open(folder)).hasMessageContaining("neither model.safetensors nor");
        Files.createFile(folder.resolve("adapter_model.safetensors"));
        assertThatThrownBy(() -> Checkpoint.open(folder)).hasMessageContaining("an adapter, not a model");
        Files.createFile(folder.resolve("pytorch_model.bin"));
        assertThatThrownBy(() -> Checkpoint.open(folder))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("only pytorch_model.bin")
                .hasMessageContaining("save_pretrained");
        assertThatThrownBy(() -> Checkpoint.open(folder.resolve("none"))).hasMessageContaining("no such folder");
    }
}
