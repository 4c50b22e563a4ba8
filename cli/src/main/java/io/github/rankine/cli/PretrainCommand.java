package io.github.rankine.cli;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.train.Evaluation;
import io.github.rankine.engine.train.StepMetrics;
import io.github.rankine.engine.train.TrainingListener;
import io.github.rankine.models.bundled.Pretraining;
import java.nio.file.Path;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code rankine pretrain}: for those who work on Rankine, so not among the commands that help lists. */
@Command(
        name = "pretrain",
        hidden = true,
        description = {
            "Makes the bundled model again: learns its tokenizer, trains its weights from random ones.",
            "Takes some ten minutes on two cores."
        })
final class PretrainCommand implements Runnable {
    private static final int STEPS_BETWEEN_LINES = 50;

    private final Terminal terminal;

    @Option(names = "--output", required = true, paramLabel = "DIR", description = "Folder to write.")
    private Path output;

    @Mixin
    private KernelOptions kernelOptions;

    PretrainCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        try (Kernels kernels = kernelOptions.open()) {
            Pretraining.BUNDLED.run(output, kernels, new TrainingListener() {
                @Override
                public void step(StepMetrics metrics) {
                    if (metrics.step() % STEPS_BETWEEN_LINES == 0) {
                        print(
                                "step %d/%d: loss %.4f, %,.0f tokens/s",
                                metrics.step(), metrics.totalSteps(), metrics.loss(), metrics.tokensPerSecond());
                    }
                }

                @Override
                public void evaluated(int step, Evaluation evaluation, boolean improved) {
                    print("step %d: held-out loss %.4f", step, evaluation.loss());
                }
            });
        }
        terminal.out().println(output + ": the model and its tokenizer");
    }

    private void print(String format, Object... values) {
        terminal.err().println(String.format(Locale.ROOT, format, values));
    }
}
