package io.github.rankine.cli;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.AdapterWeights;
import io.github.rankine.engine.lora.LinearShape;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.peft.ModelCard;
import io.github.rankine.models.peft.PeftAdapter;
import io.github.rankine.models.peft.PeftConfig;
import io.github.rankine.models.safetensors.TensorInfo;
import io.github.rankine.reference.lowrank.Decomposition;
import io.github.rankine.reference.lowrank.Spectrum;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code rankine extract}. */
@Command(
        name = "extract",
        description = {
            "Makes an adapter of a full fine-tune: the one nearest to it at a rank, by truncated singular value"
                    + " decomposition of what changed in each linear layer.",
            "With --data or --eval-data it also measures what each rank loses: the loss of the base, of extractions at"
                    + " ranks 1, 2, 4 and so on, and of the fine-tune."
        })
final class ExtractCommand implements Runnable {
    private final Terminal terminal;

    @Spec
    private CommandSpec spec;

    @Option(names = "--model", required = true, paramLabel = "DIR", description = "Folder of the base's checkpoint.")
    private Path model;

    @Option(
            names = "--tuned",
            required = true,
            paramLabel = "DIR",
            description = "Folder of a checkpoint tuned in full from --model.")
    private Path tuned;

    @Option(names = "--rank", paramLabel = "R", description = "Rank of every module's update.")
    private Integer rank;

    @Option(
            names = "--energy",
            paramLabel = "SHARE",
            description = "Instead of --rank: the rank that keeps this share of each module's energy.")
    private Double energy;

    @Option(names = "--output", required = true, paramLabel = "DIR", description = "New or empty folder to write.")
    private Path output;

    @Option(names = "--data", paramLabel = "FILE", description = "The examples of the fine-tune, to measure losses on.")
    private Path data;

    @Option(names = "--eval-data", paramLabel = "FILE", description = "Held-out examples, to measure losses on.")
    private Path evalData;

    @Option(names = "--batch-size", paramLabel = "N", description = "Sequences in a batch (default: 4).")
    private int batchSize = 4;

    @Mixin
    private DataOptions dataOptions;

    @Mixin
    private KernelOptions kernels;

    @Mixin
    private JsonOption json;

    ExtractCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        requireSensible();
        EmptyFolder.require(output, "--output");
        try (CausalLanguageModel base = CausalLanguageModel.open(model);
                CausalLanguageModel changed = CausalLanguageModel.open(tuned)) {
            TunedPair pair = new TunedPair(base, model, changed, tuned);
            requireRank(pair.modules());
            pair.requireUpdate();
            Samples samples = new Samples(
                    data == null ? null : dataOptions.read(data, model, base.config()),
                    evalData == null ? null : dataOptions.read(evalData, model, base.config()));
            Map<String, Integer> ranks = new LinkedHashMap<>();
            Extraction extraction = new Extraction(decompose(pair, ranks));
            write(extraction, ranks, base);
            Map<String, Double> leftOut = pair.changedBeside(List.copyOf(ranks.keySet()));
            ExtractionReport report = new ExtractionReport(
                    output,
                    extraction.energy(ranks),
                    extraction.parameters(ranks),
                    ranks,
                    leftOut,
                    samples.isEmpty()
                            ? List.of()
                            : losses(base, changed, pair, extraction, ranks, samples, !leftOut.isEmpty()));
            if (json.wanted()) {
                terminal.out().println(report.json());
            } else {
                terminal.out().println(report.text());
            }
        }
    }

    private List<LossByRank.Row> losses(
            CausalLanguageModel base,
            CausalLanguageModel changed,
            TunedPair pair,
            Extraction extraction,
            Map<String, Integer> ranks,
            Samples samples,
            boolean beside) {
        try (Kernels own = kernels.open()) {
            return new LossByRank(base, changed, pair, extraction, own, batchSize, terminal)
                    .measure(ranks, samples, beside);
        }
    }

    private void requireSensible() {
        if ((rank == null) == (energy == null)) {
            throw Usage.wrong(spec, "--rank or --energy: one of the two says how much to keep");
        }
        if (rank != null && rank < 1) {
            throw Usage.wrong(spec, "--rank " + rank + ": must be at least 1");
        }
        if (energy != null && !(energy > 0 && energy <= 1)) {
            throw Usage.wrong(spec, "--energy " + energy + ": must be above 0 and at most 1");
        }
        if (batchSize < 1) {
            throw Usage.wrong(spec, "--batch-size " + batchSize + ": must be at least 1");
        }
    }

    private void requireRank(List<LinearShape> modules) {
        long most = modules.stream()
                .mapToLong(module -> Math.min(module.inputs(), module.outputs()))
                .max()
                .orElseThrow();
        if (rank != null && rank > most) {
            throw new RankineException("--rank " + rank + ": no matrix of " + model + " has a rank over " + most);
        }
    }

    /** The updates, each with as many vectors as its rank, which is put into {@code ranks}. */
    private Map<String, Decomposition> decompose(TunedPair pair, Map<String, Integer> ranks) {
        List<LinearShape> modules = pair.modules();
        List<Decomposition> found = ModuleWork.run(modules, kernels, terminal, (module, own) -> {
            Decomposition update = pair.decompose(module, rank, own);
            return update.truncated(rank(module, update.spectrum()));
        });
        Map<String, Decomposition> updates = new LinkedHashMap<>();
        for (int i = 0; i < found.size(); i++) {
            updates.put(modules.get(i).name(), found.get(i));
            ranks.put(modules.get(i).name(), found.get(i).values().length);
        }
        return updates;
    }

    private int rank(LinearShape module, Spectrum spectrum) {
        if (rank != null) {
            return Math.min(rank, spectrum.values().length);
        }
        return Math.max(
                1,
                spectrum.rankFor(energy)
                        .orElseThrow(
                                () -> new RankineException("--energy " + energy + ": " + module.name() + " needs more"
                                        + " than the " + spectrum.values().length
                                        + " singular values that are taken of a matrix"
                                        + " of its size: lower it, or give --rank")));
    }

    private void write(Extraction extraction, Map<String, Integer> ranks, CausalLanguageModel base) {
        LoraConfig config = Extraction.config(ranks);
        boolean transposed =
                base.decoder().linearShapes().stream().anyMatch(shape -> !shape.head() && shape.transposed());
        long parameters = base.checkpoint().orElseThrow().tensors().stream()
                .mapToLong(TensorInfo::elements)
                .sum();
        try (Arena arena = Arena.ofShared()) {
            PeftAdapter.write(
                    output,
                    new PeftConfig(config, Optional.of(model.toString()), transposed, base.quantization()),
                    AdapterWeights.of(extraction.weights(ranks, arena)),
                    ModelCard.extracted(parameters, tuned.toString(), extraction.energy(ranks)));
        }
    }
}
