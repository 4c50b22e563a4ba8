package io.github.rankine.models.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
    @TempDir
    Path folder;

    @Test
    void replacesTheWholeFile() throws IOException {
        Path file = Files.writeString(folder.resolve("a.json"), "something longer");
        Files.writeString(folder.resolve("a.json.tmp"), "left by a process that was killed, longer still");
        AtomicFile.writeText(file, "new");
        assertThat(file).hasContent("new");
        assertThat(folder).isDirectoryNotContaining("glob:**.tmp");
    }

    @Test
    void aFullDiskCostsNothing() throws IOException {
        Path file = Files.writeString(folder.resolve("a.json"), "old");
        assertThatThrownBy(() -> AtomicFile.write(file, out -> {
                    out.write(ByteBuffer.allocate(1000));
                    throw new IOException("No space left on device");
                }))
                .isInstanceOf(RankineException.class)
                .hasMessage(file + ": cannot be written (No space left on device); what was there is unchanged");
        assertThat(file).hasContent("old");
        assertThat(folder).isDirectoryNotContaining("glob:**.tmp");
    }

    @Test
    void aFailureOfTheWriterCostsNothingEither() throws IOException {
        Path file = Files.writeString(folder.resolve("a.json"), "old");
        assertThatThrownBy(() -> AtomicFile.write(file, _ -> {
                    throw new IllegalStateException("defect");
                }))
                .isInstanceOf(IllegalStateException.class);
        assertThat(file).hasContent("old");
        assertThat(folder).isDirectoryNotContaining("glob:**.tmp");
    }

    @Test
    void saysWhyAFileCannotBeWritten() throws IOException {
        assertThatThrownBy(() -> AtomicFile.writeText(folder.resolve("none/a.json"), "x"))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("there is no such folder");
        Path taken = Files.createDirectory(folder.resolve("taken"));
        assertThatThrownBy(() -> AtomicFile.writeText(taken, "x"))
                .isInstanceOf(RankineException.class)
                .hasMessage(taken + ": exists and is not a file; name another");
        assertThat(taken).isDirectory();
        assertThat(folder).isDirectoryNotContaining("glob:**.tmp");
    }
}
