package io.github.rankine.models.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.safetensors.SafetensorsWriter.Content;
import io.github.rankine.models.safetensors.SafetensorsWriter.Entry;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

class SafetensorsWriterTest {
    static final List<String> CASES = Fixtures.CASES;

    @TempDir
    Path folder;

    private Path write(Entry... entries) {
        Path file = folder.resolve("x.safetensors");
        SafetensorsWriter.write(file, Map.of("format", "pt"), List.of(entries));
        return file;
    }

    @ParameterizedTest
    @FieldSource("CASES")
    void writesTheBytesThatTheReferenceImplementationWrites(String name) throws IOException {
        Path golden = Fixtures.folder(name).resolve("golden.safetensors");
        Path model = Fixtures.folder(name).resolve("model").resolve(Checkpoint.SINGLE);
        for (Path original : List.of(golden, model)) {
            Path copy = folder.resolve("copy.safetensors");
            try (SafetensorsFile file = SafetensorsFile.open(original)) {
                List<Entry> entries = file.tensors().stream()
                        .map(tensor -> Entry.copyOf(tensor, file.bytes(tensor.name())))
                        .toList();
                SafetensorsWriter.write(copy, file.metadata(), entries.reversed());
            }
            assertThat(copy).hasSameBinaryContentAs(original);
        }
    }

    @Test
    void startsTheDataAtAMultipleOfEight() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            for (int length = 1; length <= 9; length++) {
                Path file = write(Entry.of("n".repeat(length), Tensor.copyOf(arena, 1, 1, length)));
                assertThat(RawSafetensors.header(file).length() % 8).isZero();
                try (SafetensorsFile read = SafetensorsFile.open(file)) {
                    assertThat(read.weight("n".repeat(length)).get(0, 0)).isEqualTo(length);
                }
            }
        }
    }

    @Test
    void convertsOnceRoundingToNearest() {
        int rows = 700;
        int cols = 401;
        try (Arena arena = Arena.ofConfined()) {
            Tensor tensor = Tensor.allocate(arena, rows, cols);
            for (int i = 0; i < rows * cols; i++) {
                tensor.set(i / cols, i % cols, (float) Math.sin(i) * i);
            }
            Path file = write(
                    Entry.of("bf16", tensor.asWeight(), DType.BF16),
                    Entry.of("f16", tensor.asWeight(), DType.F16),
                    Entry.of("f32", tensor));
            try (SafetensorsFile read = SafetensorsFile.open(file)) {
                assertThat(read.tensors()).extracting(TensorInfo::name).containsExactly("f32", "bf16", "f16");
                MemorySegment one = arena.allocate(2);
                for (DType type : DType.values()) {
                    DenseWeight weight = read.weight(type.name().toLowerCase(Locale.ROOT));
                    assertThat(weight.type()).isEqualTo(type);
                    for (int i = 0; i < rows * cols; i++) {
                        float value = tensor.get(i / cols, i % cols);
                        if (type != DType.F32) {
                            type.write(one, 0, value);
                            value = type.read(one, 0);
                        }
                        if (weight.get(i / cols, i % cols) != value) {
                            assertThat(weight.get(i / cols, i % cols))
                                    .as("%s %d", type, i)
                                    .isEqualTo(value);
                        }
                    }
                }
            }
        }
    }

    @Test
    void readsContentWhenItsTurnComes() {
        try (Arena arena = Arena.ofConfined()) {
            Tensor scratch = Tensor.allocate(arena, 1, 1);
            Path file = write(computed("a", scratch, 1), computed("b", scratch, 2), computed("c", scratch, 3));
            try (SafetensorsFile read = SafetensorsFile.open(file)) {
                assertThat(read.weight("a").get(0, 0)).isEqualTo(1);
                assertThat(read.weight("b").get(0, 0)).isEqualTo(2);
                assertThat(read.weight("c").get(0, 0)).isEqualTo(3);
            }
        }
    }

    private static Entry computed(String name, Tensor scratch, float value) {
        return new Entry(name, StoredType.F32, List.of(1L), out -> {
            scratch.set(0, 0, value);
            Content.of(scratch.asWeight(), DType.F32).writeTo(out);
        });
    }

    @Test
    void aFullDiskLeavesTheOldFile() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            Tensor tensor = Tensor.copyOf(arena, 1, 1, 5);
            byte[] before = Files.readAllBytes(write(Entry.of("a", tensor)));
            Entry failing = new Entry("b", StoredType.F32, List.of(1L), _ -> {
                throw new IOException("No space left on device");
            });
            assertThatThrownBy(() -> write(Entry.of("a", tensor), failing))
                    .isInstanceOf(RankineException.class)
                    .hasMessageContaining("x.safetensors: cannot be written (No space left on device)");
            assertThat(folder.resolve("x.safetensors")).hasBinaryContent(before);
            assertThat(folder).isDirectoryNotContaining("glob:**.tmp");
        }
    }

    @Test
    void contentMustBeAsLongAsItsShape() {
        Entry shorter = new Entry("a", StoredType.F32, List.of(2L), Content.of(MemorySegment.ofArray(new byte[4])));
        assertThatThrownBy(() -> write(shorter))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("a: 4 bytes written of 8");
        assertThat(folder).isEmptyDirectory();
    }
}
