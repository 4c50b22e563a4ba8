package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.lora.AdapterWeights;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.peft.ModelCard;
import io.github.rankine.models.peft.PeftAdapter;
import io.github.rankine.models.peft.PeftConfig;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ExportCommandTest {
    private static final Fixture LLAMA = Fixture.of("llama-gqa");

    @TempDir
    Path temp;

    @Test
    void writesAFileForLlamaCpp() throws IOException {
        Path output = temp.resolve("adapter.gguf");
        CommandLineRun run = export("gguf-adapter", LLAMA.model(), LLAMA.adapter(), output);
        assertThat(run.err()).isEmpty();
        assertThat(run.out()).isEqualTo(output + ": an adapter of 14 modules for llama models, alpha 16.0\n");
        assertThat(new String(Files.readAllBytes(output), StandardCharsets.ISO_8859_1))
                .startsWith("GGUF")
                .contains("blk.1.ffn_down.weight.lora_b");
    }

    @Test
    void writesAFolderForMlxLm() {
        Path output = temp.resolve("mlx");
        CommandLineRun run = export("mlx", LLAMA.model(), LLAMA.adapter(), output);
        assertThat(run.err()).isEmpty();
        assertThat(run.out()).isEqualTo(output + ": an adapter of 14 modules, rank 8, scale 2.0\n");
        assertThat(output)
                .isDirectoryContaining("glob:**adapter_config.json")
                .isDirectoryContaining("glob:**adapters.safetensors");
    }

    @Test
    void takesAConfigurationAloneAsTheModel() throws IOException {
        Path config = Files.copy(LLAMA.model().resolve("config.json"), temp.resolve("config.json"));
        assertThat(export("gguf-adapter", config, LLAMA.adapter(), temp.resolve("file"))
                        .exitCode())
                .isZero();
        assertThat(export("gguf-adapter", LLAMA.model(), LLAMA.adapter(), temp.resolve("folder"))
                        .exitCode())
                .isZero();
        assertThat(temp.resolve("file")).hasSameBinaryContentAs(temp.resolve("folder"));
    }

    @Test
    void saysThatRsLoraIsWrittenAsAnotherAlpha() {
        Fixture qwen = Fixture.of("qwen2-bias");
        CommandLineRun run = export("gguf-adapter", qwen.model(), qwen.adapter(), temp.resolve("adapter.gguf"));
        assertThat(run.err())
                .isEqualTo("rankine: note: llama.cpp has no rsLoRA: its alpha is alpha * sqrt(rank), 90.50967\n");
        assertThat(export("mlx", qwen.model(), qwen.adapter(), temp.resolve("mlx"))
                        .err())
                .as("there the scale itself is written")
                .isEmpty();
    }

    @Test
    void saysWhatIsWrittenDifferently() {
        Path adapter = adapter(Map.of("k_proj", 2), Map.of("v_proj", 12.0), "q_proj", "k_proj", "v_proj");
        CommandLineRun gguf = export("gguf-adapter", LLAMA.model(), adapter, temp.resolve("adapter.gguf"), "--json");
        assertThat(gguf.err())
                .isEqualTo("rankine: note: lora_b of 2 of 6 modules is multiplied to keep their scale, which the one"
                        + " alpha does not give (--json names them)\n");
        ObjectNode ggufResult = Json.parseObject(gguf.out(), "out").toNode();
        assertThat(ggufResult.get("architecture").asText()).isEqualTo("llama");
        assertThat(ggufResult.get("alpha").asDouble()).isEqualTo(8);
        assertThat(ggufResult.get("modules").asInt()).isEqualTo(6);
        assertThat(ggufResult.get("rescaled_modules"))
                .extracting(name -> name.asText())
                .containsExactly("model.layers.0.self_attn.v_proj", "model.layers.1.self_attn.v_proj");

        CommandLineRun mlx = export("mlx", LLAMA.model(), adapter, temp.resolve("mlx"), "--json");
        assertThat(mlx.err())
                .isEqualTo("rankine: note: lora_b of 4 of 6 modules is multiplied to keep their scale, which is not the"
                        + " one scale (--json names them)\n"
                        + "rankine: note: matrices of 2 of 6 modules are filled up with zeros to the one rank (--json"
                        + " names them)\n");
        ObjectNode mlxResult = Json.parseObject(mlx.out(), "out").toNode();
        assertThat(mlxResult.get("rank").asInt()).isEqualTo(4);
        assertThat(mlxResult.get("scale").asDouble()).isEqualTo(2);
        assertThat(mlxResult.get("num_layers").asInt()).isEqualTo(2);
        assertThat(mlxResult.get("rescaled_modules")).hasSize(4);
        assertThat(mlxResult.get("filled_up_modules"))
                .extracting(name -> name.asText())
                .containsExactly("model.layers.0.self_attn.k_proj", "model.layers.1.self_attn.k_proj");
    }

    @ParameterizedTest
    @ValueSource(strings = {"gguf-adapter", "mlx"})
    void refusesInOneLineBeforeAnythingIsWritten(String format) {
        Path output = temp.resolve("output");
        Path head = adapter(Map.of(), Map.of(), "lm_head");
        assertRefused(export(format, LLAMA.model(), head, output), head + ": lm_head: the base ties its head");
        assertRefused(
                export(format, Fixture.of("gpt2").model(), LLAMA.adapter(), output), "made for another base model");
        assertRefused(
                export(format, LLAMA.model(), Fixture.of("llama-dora").adapter(), output),
                "no place for DoRA's magnitudes");
        assertRefused(export(format, temp, LLAMA.adapter(), output), "config.json: no such file");
        assertThat(output).doesNotExist();
    }

    @Test
    void whatIsInTheWayStays() throws IOException {
        Path folder = Files.createDirectory(temp.resolve("taken"));
        Files.writeString(folder.resolve("thesis.txt"), "mine");
        assertRefused(export("mlx", LLAMA.model(), LLAMA.adapter(), folder), "holds something already");
        assertRefused(export("gguf-adapter", LLAMA.model(), LLAMA.adapter(), folder), "exists and is not a file");
        assertThat(folder.resolve("thesis.txt")).hasContent("mine");
    }

    @Test
    void needsAFormat() {
        CommandLineRun none = CommandLineRun.of("export");
        assertThat(none.exitCode()).isEqualTo(2);
        assertThat(none.err())
                .isEqualTo("rankine: no format: one of gguf-adapter, mlx\nTry 'rankine export --help'.\n");
        CommandLineRun help = CommandLineRun.of("export", "mlx", "--help");
        assertThat(help.exitCode()).isZero();
        assertThat(help.out()).startsWith("Usage: rankine export mlx");
    }

    private static void assertRefused(CommandLineRun run, String complaint) {
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).startsWith("rankine: ").contains(complaint).hasLineCount(1);
    }

    private static CommandLineRun export(String format, Path model, Path adapter, Path output, String... options) {
        List<Object> args =
                new ArrayList<>(List.of("export", format, "--model", model, "--adapter", adapter, "--output", output));
        args.addAll(List.of(options));
        return CommandLineRun.of(args.toArray());
    }

    /** A zero adapter of both layers, of rank 4 and alpha 8 but for the patterns. */
    private Path adapter(Map<String, Integer> ranks, Map<String, Double> alphas, String... targets) {
        Path folder = temp.resolve("adapter");
        LoraConfig config = new LoraConfig(
                4,
                8,
                0,
                new ModuleSelector.Suffixes(List.of(targets)),
                null,
                List.of(),
                List.of(),
                ranks,
                alphas,
                false);
        try (Arena arena = Arena.ofConfined()) {
            Map<String, LoraWeights> modules = new LinkedHashMap<>();
            for (String target : targets) {
                for (int layer = 0; layer < 2; layer++) {
                    String module =
                            target.equals("lm_head") ? target : "model.layers." + layer + ".self_attn." + target;
                    int out = target.equals("lm_head") ? 320 : target.equals("q_proj") ? 64 : 32;
                    int rank = config.rank(module);
                    modules.put(
                            module,
                            new LoraWeights(
                                    Tensor.allocate(arena, rank, 64).asWeight(),
                                    Tensor.allocate(arena, out, rank).asWeight()));
                }
            }
            PeftAdapter.write(
                    folder,
                    new PeftConfig(config, Optional.empty(), false, Optional.empty()),
                    AdapterWeights.of(modules),
                    ModelCard.trained(1, "none", 1, 1, 1, OptionalDouble.empty()));
        }
        return folder;
    }
}
