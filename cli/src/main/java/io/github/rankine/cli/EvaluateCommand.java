package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.train.Evaluation;
import io.github.rankine.models.data.Dataset;
import io.github.rankine.models.json.Json;
import java.nio.file.Path;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code rankine evaluate}. */
@Command(
        name = "evaluate",
        description = {
            "Measures how well a model predicts a file of examples: the mean negative log-likelihood of a token, in"
                    + " nats, and its exponential, the perplexity.",
            "The tokens that count are those that finetune would learn."
        })
final class EvaluateCommand implements Runnable {
    private final Terminal terminal;

    @Spec
    private CommandSpec spec;

    @Mixin
    private ModelOptions model;

    @Option(
            names = "--data",
            required = true,
            paramLabel = "FILE",
            description =
                    "JSON Lines or a JSON array of text, prompt/completion, messages, alpaca, ShareGPT or input_ids"
                            + " records.")
    private Path file;

    @Mixin
    private DataOptions data;

    @Option(names = "--batch-size", paramLabel = "N", description = "Sequences in a batch (default: 4).")
    private int batchSize = 4;

    @Mixin
    private KernelOptions kernels;

    @Mixin
    private JsonOption json;

    EvaluateCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        if (batchSize < 1) {
            throw Usage.wrong(spec, "--batch-size " + batchSize + ": must be at least 1");
        }
        try (Kernels kernels = this.kernels.open();
                LoadedModel loaded = model.load(this.kernels, terminal)) {
            Dataset dataset = data.read(file, model.folder(), loaded.config());
            terminal.err().println(file + ": " + dataset.report().summary());
            report(Evaluation.of(loaded.decoder(), kernels, dataset.samples(), batchSize));
        }
    }

    private void report(Evaluation evaluation) {
        if (json.wanted()) {
            ObjectNode result = Json.mapper().createObjectNode();
            result.put("loss", evaluation.loss());
            result.put("perplexity", evaluation.perplexity());
            result.put("tokens", evaluation.tokens());
            terminal.out().println(result);
        } else {
            terminal.out()
                    .println(String.format(
                            Locale.ROOT,
                            "loss %.6f nats per token, perplexity %.4f, %,d tokens",
                            evaluation.loss(),
                            evaluation.perplexity(),
                            evaluation.tokens()));
        }
    }
}
