package io.github.rankine.models.family;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.safetensors.Checkpoint;
import io.github.rankine.models.safetensors.SafetensorsWriter;
import io.github.rankine.models.safetensors.SafetensorsWriter.Entry;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CausalLanguageModelTest {
    private static final Path TIED = Fixtures.folder("llama-gqa").resolve("model");

    @TempDir
    Path folder;

    /** The model whose head is tied, with a tensor for its head all the same. */
    private void writeWithHead(Weight head) throws IOException {
        Files.copy(TIED.resolve(ModelConfig.FILE), folder.resolve(ModelConfig.FILE));
        try (Checkpoint checkpoint = Checkpoint.open(TIED)) {
            List<Entry> entries = new ArrayList<>();
            checkpoint
                    .tensors()
                    .forEach(tensor -> entries.add(new Entry(
                            tensor.name(),
                            tensor.type(),
                            tensor.shape(),
                            SafetensorsWriter.Content.of(checkpoint.bytes(tensor.name())))));
            entries.add(Entry.of("lm_head.weight", head, DType.F32));
            SafetensorsWriter.write(folder.resolve(Checkpoint.SINGLE), Map.of(), entries);
        }
    }

    @Test
    void aTiedHeadMayBeStoredToo() throws IOException {
        try (CausalLanguageModel tied = CausalLanguageModel.open(TIED)) {
            writeWithHead(tied.decoder().linears().getLast().weight().value());
        }
        try (CausalLanguageModel stored = CausalLanguageModel.open(folder)) {
            assertThat(stored.decoder().linears().getLast().weight().name()).isEqualTo("model.embed_tokens.weight");
        }
    }

    @Test
    void refusesATiedHeadThatIsNotTheEmbedding() throws IOException {
        try (Arena arena = Arena.ofConfined();
                CausalLanguageModel tied = CausalLanguageModel.open(TIED)) {
            Tensor head = tied.decoder().linears().getLast().weight().value().toTensor(arena);
            DType.F32.write(head.segment(), head.size() - 1, 7);
            writeWithHead(head.asWeight());
        }
        assertThatThrownBy(() -> CausalLanguageModel.open(folder))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith(folder.resolve(ModelConfig.FILE) + ": tie_word_embeddings: true, but");
    }
}
