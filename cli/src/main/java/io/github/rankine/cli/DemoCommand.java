package io.github.rankine.cli;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.models.bundled.BundledModel;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.tokenizer.Tokenizer;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code rankine demo}. */
@Command(
        name = "demo",
        description = {
            "Fine-tunes the small model that comes with Rankine for two tasks that it cannot do, swaps and merges the"
                    + " two adapters, and says what it does as it goes.",
            "With --low-rank, trains its weights in full instead and shows what is lost when that update is squeezed"
                    + " into an adapter of rank 1, 2, 4, 8 and 16.",
            "Needs no other files and takes about a minute. Exits with 1 if anything did not come out as it should."
        })
final class DemoCommand implements Runnable {
    private static final Path DEFAULT_OUTPUT = Path.of("rankine-demo");

    private final Terminal terminal;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--output",
            paramLabel = "DIR",
            description = "New or empty folder to write (default: rankine-demo, or rankine-demo-2 and so on).")
    private Path output;

    @Option(names = "--steps", hidden = true, paramLabel = "N", description = "Steps of each fine-tune.")
    private Integer steps;

    @Option(
            names = "--held-out",
            hidden = true,
            paramLabel = "N",
            description = "Examples that each adapter is tested on.")
    private int heldOut = DemoLesson.HELD_OUT;

    @Option(names = "--low-rank", description = "Show what a low rank loses of a full fine-tune.")
    private boolean lowRank;

    @Mixin
    private KernelOptions kernelOptions;

    @Mixin
    private JsonOption json;

    DemoCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        int steps = this.steps != null ? this.steps : lowRank ? DemoLowRank.STEPS : DemoLesson.STEPS;
        requireAtLeast("--steps", steps, 1);
        requireAtLeast("--held-out", heldOut, DemoTour.EXAMPLES_SHOWN);
        Path folder = output == null ? firstFree() : EmptyFolder.require(output, "--output");
        Path base = folder.resolve(DemoTour.MODEL);
        BundledModel.unpack(base);
        DemoReport report = new DemoReport(terminal, json.wanted());
        if (lowRank) {
            new DemoLowRank(folder, kernelOptions, terminal, report, steps, heldOut).run();
            report.finish(folder);
            return;
        }
        try (CausalLanguageModel model = CausalLanguageModel.open(base);
                Tokenizer tokenizer = Tokenizer.open(base, model.config().eosTokenIds());
                Kernels kernels = kernelOptions.open()) {
            new DemoTour(folder, model, tokenizer, kernels, terminal, report, steps, heldOut).run();
        }
        report.finish(folder);
    }

    private void requireAtLeast(String option, int value, int least) {
        if (value < least) {
            throw Usage.wrong(spec, option + " " + value + ": must be at least " + least);
        }
    }

    private static Path firstFree() {
        Path folder = DEFAULT_OUTPUT;
        for (int i = 2; !EmptyFolder.is(folder); i++) {
            folder = Path.of(DEFAULT_OUTPUT + "-" + i);
        }
        return folder;
    }
}
