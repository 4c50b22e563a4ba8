package io.github.rankine.models.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunFolderTest {
    @TempDir
    Path temporary;

    @Test
    void aMissingAndAnEmptyFolderAreNew() throws IOException {
        assertThatCode(() -> new RunFolder(temporary.resolve("a/b")).requireNew())
                .doesNotThrowAnyException();
        assertThat(temporary.resolve("a")).doesNotExist();
        new RunFolder(temporary.resolve("a/b")).create();
        assertThat(temporary.resolve("a/b")).isEmptyDirectory();
        assertThatCode(() -> new RunFolder(temporary.resolve("a/b")).requireNew())
                .doesNotThrowAnyException();
    }

    @Test
    void whatARunLeftBeforeItsFirstStateIsNoHindrance() throws IOException {
        Files.writeString(temporary.resolve("metrics.jsonl"), "");
        Files.writeString(temporary.resolve("training_state.safetensors.tmp"), "half a sta");
        assertThatCode(() -> new RunFolder(temporary).requireNew()).doesNotThrowAnyException();
    }

    @Test
    void somethingElseIsRefusedByName() throws IOException {
        Files.writeString(temporary.resolve("metrics.jsonl"), "");
        Files.writeString(temporary.resolve("adapter_model.safetensors"), "somebody's adapter");
        assertThatThrownBy(() -> new RunFolder(temporary).requireNew())
                .isInstanceOf(RankineException.class)
                .hasMessage(temporary + ": holds something else, such as adapter_model.safetensors, and no run to"
                        + " resume; choose a new or empty folder as --output");
    }

    @Test
    void aFileIsRefused() throws IOException {
        Path file = Files.writeString(temporary.resolve("out"), "text");
        assertThatThrownBy(() -> new RunFolder(file).requireNew())
                .isInstanceOf(RankineException.class)
                .hasMessage(file + ": a file; --output names a folder");
        assertThatThrownBy(() -> new RunFolder(file.resolve("below")).create())
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("cannot be made");
    }
}
