package io.github.rankine.models;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.peft.PeftAdapter;
import io.github.rankine.models.peft.PeftConfig;
import io.github.rankine.models.safetensors.Checkpoint;
import io.github.rankine.models.safetensors.RawSafetensors;
import io.github.rankine.models.safetensors.SafetensorsFile;
import io.github.rankine.models.safetensors.SafetensorsWriter;
import io.github.rankine.models.safetensors.SafetensorsWriter.Entry;
import io.github.rankine.models.safetensors.TensorInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever a file holds, its reader takes it or refuses it in one line. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class MutationTest {
    private static final int COUNT = 2000;
    private static final String CASE = "llama-untied-llama3rope";

    @TempDir
    Path folder;

    private Path adapter;

    @BeforeEach
    void findAdapter() {
        adapter = Fixtures.folder(CASE).resolve("adapter");
    }

    private static byte[] safetensors(byte[] whole, String header, byte[] data, Random random) {
        return random.nextInt(3) == 0
                ? Mutations.bytes(whole, random)
                : RawSafetensors.bytes(new String(Mutations.json(header, random), UTF_8), data);
    }

    /** Touches everything that a reader of the file could. */
    private static void touch(SafetensorsFile file) {
        for (TensorInfo tensor : file.tensors()) {
            file.bytes(tensor.name());
            if (tensor.type().engineType().isPresent() && tensor.shape().size() <= 2) {
                Weight weight = file.weight(tensor.name());
                if (weight.size() > 0) {
                    weight.get(0, 0);
                    weight.get(weight.rows() - 1, weight.cols() - 1);
                }
            }
        }
    }

    @Test
    void safetensorsFile() throws IOException {
        Path original = adapter.resolve(PeftAdapter.WEIGHTS);
        byte[] whole = Files.readAllBytes(original);
        String header = RawSafetensors.header(original);
        byte[] data = RawSafetensors.data(original);
        Path file = folder.resolve("x.safetensors");
        Mutations.survives(COUNT, file, random -> safetensors(whole, header, data, random), () -> {
            try (SafetensorsFile read = SafetensorsFile.open(file)) {
                touch(read);
            }
        });
    }

    @Test
    void index() throws IOException {
        StringBuilder weightMap = new StringBuilder();
        try (SafetensorsFile file = SafetensorsFile.open(adapter.resolve(PeftAdapter.WEIGHTS))) {
            List<Entry> entries = file.tensors().stream()
                    .map(tensor -> Entry.copyOf(tensor, file.bytes(tensor.name())))
                    .toList();
            for (int i = 0; i < entries.size(); i++) {
                SafetensorsWriter.write(folder.resolve(i + ".safetensors"), Map.of(), List.of(entries.get(i)));
                weightMap
                        .append(i == 0 ? "" : ",")
                        .append('"')
                        .append(entries.get(i).name())
                        .append("\":\"")
                        .append(i)
                        .append(".safetensors\"");
            }
        }
        String index = "{\"metadata\":{\"total_size\":1},\"weight_map\":{" + weightMap + "}}";
        Path file = folder.resolve(Checkpoint.INDEX);
        Mutations.survives(COUNT, file, random -> Mutations.json(index, random), () -> {
            try (Checkpoint checkpoint = Checkpoint.open(folder)) {
                checkpoint.tensors().forEach(tensor -> checkpoint.bytes(tensor.name()));
            }
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama-untied-llama3rope", "qwen2-bias", "gpt2"})
    void modelConfig(String name) throws IOException {
        String original =
                Files.readString(Fixtures.folder(name).resolve("model").resolve(ModelConfig.FILE));
        Path file = folder.resolve(ModelConfig.FILE);
        Mutations.survives(
                COUNT,
                file,
                random -> Mutations.json(original, random),
                () -> ModelConfig.read(file).jsonWithDtype(DType.BF16));
    }

    @Test
    void generationConfig() throws IOException {
        Path model = Fixtures.folder(CASE).resolve("model");
        Files.copy(model.resolve(ModelConfig.FILE), folder.resolve(ModelConfig.FILE));
        String original = "{\"eos_token_id\": [1, 2]}";
        Mutations.survives(
                COUNT,
                folder.resolve("generation_config.json"),
                random -> Mutations.json(original, random),
                () -> ModelConfig.read(folder));
    }

    @Test
    void adapterConfig() throws IOException {
        String original = """
            {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"],
             "exclude_modules": "none", "layers_to_transform": [0, 1], "layers_pattern": ["layers"],
             "rank_pattern": {"a": 2}, "alpha_pattern": {"b": 0.5}, "lora_dropout": 0.1, "use_dora": false}\
            """;
        Path file = folder.resolve(PeftConfig.FILE);
        Mutations.survives(COUNT / 2, file, random -> Mutations.json(original, random), () -> {
            PeftConfig config = PeftConfig.read(file);
            config.lora().targets("model.layers.0.self_attn.q_proj", false);
            config.lora().scaling("model.layers.0.self_attn.q_proj");
        });
    }

    @Test
    void adapterTensors() throws IOException {
        Path original = adapter.resolve(PeftAdapter.WEIGHTS);
        byte[] whole = Files.readAllBytes(original);
        String header = RawSafetensors.header(original);
        byte[] data = RawSafetensors.data(original);
        Files.copy(adapter.resolve(PeftConfig.FILE), folder.resolve(PeftConfig.FILE));
        Path file = folder.resolve(PeftAdapter.WEIGHTS);
        Mutations.survives(COUNT, file, random -> safetensors(whole, header, data, random), () -> {
            try (PeftAdapter read = PeftAdapter.open(folder)) {
                read.modules().values().forEach(weights -> weights.b().get(0, weights.rank() - 1));
            }
        });
    }
}
