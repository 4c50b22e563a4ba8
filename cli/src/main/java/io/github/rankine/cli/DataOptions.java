package io.github.rankine.cli;

import io.github.rankine.models.chat.ChatTemplate;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.data.Dataset;
import io.github.rankine.models.data.DatasetOptions;
import io.github.rankine.models.data.DatasetReader;
import io.github.rankine.models.tokenizer.Tokenizer;
import io.github.rankine.models.tokenizer.TokenizerConfig;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** How records become samples. */
final class DataOptions {
    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Option(
            names = "--max-length",
            paramLabel = "N",
            description = "Tokens of a sequence; what is longer is cut off (default: ${DEFAULT-VALUE}).")
    private int maxLength = 512;

    @Option(names = "--train-on-prompt", description = "Count the prompts' tokens too, not the completions' alone.")
    private boolean trainOnPrompt;

    @Option(
            names = "--chat-template",
            paramLabel = "FILE|chatml",
            description = "Jinja template that lays out conversations (default: the model's own).")
    private String chatTemplate;

    int maxLength() {
        return maxLength;
    }

    /** Reads a data file for a model, with the tokenizer in its folder if it has one. */
    Dataset read(Path file, Path modelFolder, ModelConfig model) {
        DatasetOptions options =
                Usage.of(command, () -> new DatasetOptions(maxLength, trainOnPrompt, model.vocabSize()));
        if (!Tokenizer.isIn(modelFolder)) {
            return DatasetReader.read(file, options, Optional.empty(), Optional.empty());
        }
        try (Tokenizer tokenizer = Tokenizer.open(modelFolder, model.eosTokenIds())) {
            return DatasetReader.read(file, options, Optional.of(tokenizer), template(tokenizer.config()));
        }
    }

    private Optional<ChatTemplate> template(TokenizerConfig config) {
        return chatTemplate == null ? ChatTemplate.of(config) : Optional.of(ChatTemplate.named(chatTemplate, config));
    }
}
