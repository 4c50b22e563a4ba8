package io.github.rankine.models.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.models.gguf.GgufWriter.Float32;
import io.github.rankine.models.gguf.GgufWriter.Matrix;
import io.github.rankine.models.gguf.GgufWriter.Text;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufWriterTest {
    @TempDir
    Path folder;

    private final SequencedMap<String, GgufWriter.Value> metadata = new LinkedHashMap<>();

    @Test
    void writesWhatTheSpecificationSays() throws IOException {
        metadata.put("general.type", new Text("größer"));
        metadata.put("b", new Float32(-0.1f));
        Path file = folder.resolve("x.gguf");
        try (Arena arena = Arena.ofConfined()) {
            GgufWriter.write(
                    file,
                    metadata,
                    List.of(
                            new Matrix("wide", Tensor.copyOf(arena, 2, 3, 1, 2, 3, 4, 5, Float.MIN_VALUE)),
                            new Matrix("aligned", Tensor.copyOf(arena, 4, 2, 1, 2, 3, 4, 5, 6, 7, 8)),
                            new Matrix("last", Tensor.copyOf(arena, 1, 1, 9))));
        }
        RawGguf read = RawGguf.read(file);
        assertThat(read.metadata()).containsExactly(Map.entry("general.type", "größer"), Map.entry("b", -0.1f));
        assertThat(read.tensors().keySet()).containsExactly("wide", "aligned", "last");
        RawGguf.Tensor wide = read.tensors().get("wide");
        assertThat(wide.dimensions()).containsExactly(3L, 2L);
        assertThat(wide.values()).containsExactly(1, 2, 3, 4, 5, Float.MIN_VALUE);
        assertThat(read.tensors().values()).extracting(RawGguf.Tensor::offset).containsExactly(0L, 32L, 64L);
        assertThat(read.length()).as("the last one is padded too").isEqualTo(read.data() + 96);
    }

    @Test
    void refusesWhatReadersRefuse() {
        try (Arena arena = Arena.ofConfined()) {
            Tensor tensor = Tensor.allocate(arena, 2, 2);
            assertThatThrownBy(() -> GgufWriter.write(
                            folder.resolve("x"), metadata, List.of(new Matrix("a", tensor), new Matrix("a", tensor))))
                    .hasMessage("two matrices named a");
            assertThat(new Matrix("ä".repeat(31), tensor).name()).hasSize(31);
            assertThatThrownBy(() -> new Matrix("ä".repeat(32), tensor)).hasMessageContaining("a longer name");
            assertThatThrownBy(() -> new Matrix("a", tensor.cols(0, 1))).hasMessageContaining("gaps");
        }
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void aFileThatCannotBeWrittenIsNamed() throws IOException {
        Path taken = Files.createDirectory(folder.resolve("taken"));
        assertThatThrownBy(() -> GgufWriter.write(taken, metadata, List.of()))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith(taken + ": ");
    }
}
