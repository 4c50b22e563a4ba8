package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.json.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Writes a model of random weights with a tokenizer that fits it. */
final class TinyModel {
    private TinyModel() {}

    /** A Llama with a byte-level tokenizer of 360 tokens, of which 0 ends a text, and positions for 128. */
    static Path write(Path folder) {
        try {
            ObjectNode config = Json.readObject(Fixture.of("llama-gqa").model().resolve(ModelConfig.FILE))
                    .toNode();
            config.put("vocab_size", 384).put("eos_token_id", 0);
            Files.createDirectories(folder);
            Files.writeString(folder.resolve(ModelConfig.FILE), Json.write(config));
            try (Arena arena = Arena.ofConfined();
                    CausalLanguageModel model =
                            CausalLanguageModel.initialize(ModelConfig.read(folder), 0.3, 1, arena)) {
                model.save(folder, DType.BF16);
            }
            Path tokenizer =
                    Path.of(TinyModel.class.getResource("/tokenizers/bytelevel").toURI());
            for (String file : List.of("tokenizer.json", "tokenizer_config.json")) {
                Files.copy(tokenizer.resolve(file), folder.resolve(file));
            }
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }
}
