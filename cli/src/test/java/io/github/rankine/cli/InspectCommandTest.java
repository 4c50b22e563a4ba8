package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import io.github.rankine.models.safetensors.SafetensorsWriter;
import io.github.rankine.models.safetensors.StoredType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InspectCommandTest {
    @TempDir
    Path temp;

    @Test
    void aCheckpointsTensorsAreListed() {
        Path model = Fixture.of("gpt2").model();
        String text = CommandLineRun.of("inspect", model).out();
        assertThat(text.lines().findFirst().orElseThrow())
                .isEqualTo(model + ": checkpoint, 128,768 parameters in 28 tensors (28 F32), 503.0 KiB in 1 file");
        assertThat(text).contains("  model_type: \"gpt2\"\n");
        assertThat(text.lines().filter(line -> line.startsWith("transformer.h.0.attn.c_attn.weight")))
                .singleElement()
                .asString()
                .matches("\\S+ +F32 +\\[64, 192] +12,288 +49,152");
    }

    @Test
    void anAdaptersConfigurationIsShownWhateverItsKind() {
        CommandLineRun run =
                CommandLineRun.of("inspect", Fixture.of("llama-dora").adapter());
        assertThat(run.exitCode()).isZero();
        assertThat(run.out())
                .contains(": adapter, 1,984 parameters in 12 tensors")
                .contains("  use_dora: true\n")
                .contains("  target_modules: [\"q_proj\",\"v_proj\"]\n")
                .contains("q_proj.lora_magnitude_vector")
                .doesNotContain("null");
    }

    @Test
    void jsonHasItAll() {
        Path adapter = Fixture.of("llama-gqa").adapter();
        CommandLineRun run = CommandLineRun.of("inspect", adapter, "--json");
        JsonObject result = Json.parseObject(run.out(), "standard output");
        assertThat(result.string("kind")).isEqualTo("adapter");
        assertThat(result.object("config").orElseThrow().integer("r", 0, 100)).isEqualTo(8);
        assertThat(result.stringMap("metadata")).containsEntry("format", "pt");
        assertThat(result.get("tensors")).hasSize(28);
        assertThat(result.get("tensors").get(0).get("shape")).hasSize(2);
        long parameters = 0;
        for (JsonNode tensor : result.get("tensors")) {
            parameters += tensor.get("parameters").longValue();
        }
        assertThat(result.get("parameters").longValue()).isEqualTo(parameters);
        assertThat(result.get("bytes").longValue()).isEqualTo(4 * parameters);
    }

    @Test
    void aFileAloneMayHoldAnyTypeAndName() {
        Path file = temp.resolve("odd.safetensors");
        SafetensorsWriter.write(
                file,
                Map.of("note", "two\nlines"),
                List.of(
                        new SafetensorsWriter.Entry(
                                "cells\u001b[2J",
                                StoredType.U8,
                                List.of(2L, 1L, 2L),
                                SafetensorsWriter.Content.of(MemorySegment.ofArray(new byte[4]))),
                        new SafetensorsWriter.Entry(
                                "scalar",
                                StoredType.I64,
                                List.of(),
                                SafetensorsWriter.Content.of(MemorySegment.ofArray(new byte[8])))));
        String text = CommandLineRun.of("inspect", file).out();
        assertThat(text)
                .contains("safetensors file, 5 parameters in 2 tensors (1 U8, 1 I64), 12 bytes in 1 file")
                .contains("  metadata note: two lines\n")
                .containsPattern("cells \\[2J +U8 +\\[2, 1, 2] +4 +4\n")
                .containsPattern("scalar +I64 +\\[] +1 +8\n")
                .doesNotContain("\u001b");
    }

    @Test
    void whatIsNotThereOrDamagedIsOneLine() throws IOException {
        assertThat(failure(temp.resolve("none"))).contains("none: no such file or folder");
        assertThat(failure(temp)).contains("neither model.safetensors nor");
        Path text = temp.resolve("text");
        Files.writeString(text, "just some words in a file");
        assertThat(failure(text)).contains("damaged or not safetensors");
        Files.writeString(temp.resolve("adapter_config.json"), "{\"r\": 8}");
        assertThat(failure(temp)).contains("adapter_model.safetensors: no such file");
    }

    private static String failure(Path path) {
        CommandLineRun run = CommandLineRun.of("inspect", path);
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.err().lines().toList()).hasSize(1);
        return run.err();
    }
}
