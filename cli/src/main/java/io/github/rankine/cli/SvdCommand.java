package io.github.rankine.cli;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LinearShape;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraModule;
import io.github.rankine.engine.nn.Linear;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.peft.PeftAdapter;
import io.github.rankine.reference.lowrank.Decomposition;
import io.github.rankine.reference.lowrank.LowRank;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code rankine svd}. */
@Command(
        name = "svd",
        description = {
            "Measures by singular value decomposition what rank an update needs and what a lower one would lose,"
                    + " module by module. docs/low-rank.md says what the figures mean.",
            "--adapter A: the adapter's own update; with --model also how much it amplifies directions of the base.",
            "--model BASE --tuned DIR: the true update of a full fine-tune.",
            "--adapter A --adapter B: how much the two have in common."
        })
final class SvdCommand implements Runnable {
    private static final double DEFAULT_ENERGY = 0.9;

    private final Terminal terminal;

    @Spec
    private CommandSpec spec;

    @Option(names = "--adapter", paramLabel = "DIR", description = "Folder of a PEFT LoRA adapter; two are compared.")
    private List<Path> adapters = new ArrayList<>();

    @Option(names = "--model", paramLabel = "DIR", description = "Folder of the base's checkpoint.")
    private Path model;

    @Option(names = "--tuned", paramLabel = "DIR", description = "Folder of a checkpoint tuned in full from --model.")
    private Path tuned;

    @Option(
            names = "--energy",
            paramLabel = "SHARE",
            description = "Energy that a module's rank should keep, above 0 and up to 1 (default: 0.9).")
    private Double energy;

    @Option(
            names = "--rank-pattern",
            paramLabel = "FILE",
            description = "Write the rank that each module needs for --energy, as 'finetune --rank-pattern' takes it.")
    private Path rankPattern;

    @Option(
            names = "--values",
            paramLabel = "N",
            description = "Take only the N largest singular values where that is faster, by random sampling (default:"
                    + " all of them, and 64 of matrices with both sides over 1024).")
    private Integer values;

    @Option(
            names = "--intruders",
            description =
                    "Look for intruder dimensions too, among the first 10 singular vectors of each changed weight;"
                            + " takes two full decompositions a module.")
    private boolean intruders;

    @Option(names = "--report", paramLabel = "DIR", description = "New or empty folder for a page with pictures.")
    private Path report;

    @Mixin
    private KernelOptions kernels;

    @Mixin
    private JsonOption json;

    SvdCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        requireSensible();
        if (report != null) {
            EmptyFolder.require(report, "--report");
        }
        if (adapters.size() == 2) {
            compare();
        } else if (tuned != null) {
            show("Update of " + tuned + " over " + model, update());
        } else {
            show("Adapter " + adapters.getFirst(), adapter());
        }
    }

    private void requireSensible() {
        if (energy != null && !(energy > 0 && energy <= 1)) {
            throw Usage.wrong(spec, "--energy " + energy + ": must be above 0 and at most 1");
        }
        if (values != null && values < 1) {
            throw Usage.wrong(spec, "--values " + values + ": must be at least 1");
        }
        if (adapters.size() > 2) {
            throw Usage.wrong(spec, adapters.size() + " adapters: one is measured, two are compared");
        }
        if (tuned != null && !adapters.isEmpty()) {
            throw Usage.wrong(spec, "--tuned or --adapter, one at a time");
        }
        if (tuned != null && model == null) {
            throw Usage.wrong(spec, "--tuned needs --model, the base that it was tuned from");
        }
        if (tuned == null && adapters.isEmpty()) {
            throw Usage.wrong(spec, "nothing to measure: name an --adapter, or --model and --tuned");
        }
        if (intruders && model == null) {
            throw Usage.wrong(spec, "--intruders needs --model");
        }
        if (values != null && tuned == null) {
            throw Usage.wrong(spec, "--values is for --tuned: an adapter's few values are all found");
        }
        if (adapters.size() == 2 && (model != null || rankPattern != null || energy != null)) {
            throw Usage.wrong(
                    spec, "two adapters are compared by themselves: leave --model, --energy and --rank-pattern out");
        }
        if (rankPattern != null) {
            RankPattern.requireWritable(rankPattern);
        }
    }

    private List<ModuleUpdate> adapter() {
        try (PeftAdapter stored = PeftAdapter.open(adapters.getFirst());
                Arena arena = Arena.ofShared()) {
            stored.requirePlain("the spectrum of B·A");
            if (model == null) {
                return ModuleWork.run(shapes(stored), kernels, terminal, (module, _) -> measured(stored, module));
            }
            try (CausalLanguageModel base = CausalLanguageModel.open(model)) {
                LoraAdapter loaded = stored.load(base.decoder(), arena);
                Map<String, Linear> linears = base.decoder().linears().stream()
                        .filter(linear -> loaded.modules().containsKey(linear.name()))
                        .collect(Collectors.toMap(Linear::name, linear -> linear, (a, _) -> a, LinkedHashMap::new));
                noteIntruders(linears.values().stream().map(Linear::shape).toList());
                return ModuleWork.run(
                        linears.values().stream().map(Linear::shape).toList(), kernels, terminal, (module, own) -> {
                            Weight weight = linears.get(module.name()).weight().value();
                            return measured(
                                    stored, module, weight, loaded.modules().get(module.name()), own);
                        });
            }
        }
    }

    private ModuleUpdate measured(PeftAdapter stored, LinearShape module) {
        return new ModuleUpdate(
                module.name(),
                decompose(stored, adapters.getFirst(), module.name()).spectrum(),
                OptionalInt.of(stored.modules().get(module.name()).rank()),
                OptionalDouble.empty(),
                OptionalInt.empty());
    }

    private ModuleUpdate measured(
            PeftAdapter stored, LinearShape module, Weight weight, LoraModule loaded, Kernels own) {
        Decomposition update = decompose(stored, adapters.getFirst(), module.name());
        OptionalInt intruding = OptionalInt.empty();
        if (intruders) {
            try (Arena arena = Arena.ofShared()) {
                Weight sum = loaded.mergeInto(own, weight, module.transposed(), arena)
                        .asWeight();
                intruding = ModuleUpdate.intruders(module.name(), weight, sum, module.transposed(), own);
            }
        }
        return new ModuleUpdate(
                module.name(),
                update.spectrum(),
                OptionalInt.of(stored.modules().get(module.name()).rank()),
                OptionalDouble.of(LowRank.amplification(update, weight, module.transposed(), own)),
                intruding);
    }

    private static Decomposition decompose(PeftAdapter stored, Path folder, String module) {
        double scaling = stored.config().lora().scaling(module);
        return LowRank.decompose(folder + ": " + module, stored.modules().get(module), scaling);
    }

    private static List<LinearShape> shapes(PeftAdapter stored) {
        return stored.modules().entrySet().stream()
                .map(entry -> new LinearShape(
                        entry.getKey(),
                        entry.getValue().a().cols(),
                        entry.getValue().b().rows(),
                        false,
                        false))
                .sorted(Comparator.comparingInt(
                        module -> LowRankCharts.Place.of(module.name()).layer()))
                .toList();
    }

    private List<ModuleUpdate> update() {
        try (CausalLanguageModel base = CausalLanguageModel.open(model);
                CausalLanguageModel changed = CausalLanguageModel.open(tuned)) {
            TunedPair pair = new TunedPair(base, model, changed, tuned);
            pair.requireUpdate();
            noteIntruders(pair.modules());
            return ModuleWork.run(pair.modules(), kernels, terminal, (module, own) -> {
                OptionalInt intruding = intruders
                        ? ModuleUpdate.intruders(
                                module.name(), pair.before(module), pair.after(module), module.transposed(), own)
                        : OptionalInt.empty();
                Decomposition update = pair.decompose(module, values, own);
                return new ModuleUpdate(
                        module.name(), update.spectrum(), OptionalInt.empty(), OptionalDouble.empty(), intruding);
            });
        }
    }

    private void noteIntruders(List<LinearShape> modules) {
        long large = modules.stream()
                .filter(module -> Math.min(module.inputs(), module.outputs()) > LowRank.FULL_UP_TO)
                .count();
        if (intruders && large > 0) {
            terminal.note("--intruders takes a full decomposition of each base weight, and " + large
                    + " have both sides over " + LowRank.FULL_UP_TO + ": minutes for each of them");
        }
    }

    private void show(String title, List<ModuleUpdate> modules) {
        UpdateReport figures = new UpdateReport(title, modules, energy == null ? DEFAULT_ENERGY : energy);
        if (json.wanted()) {
            terminal.out().println(figures.json());
        } else {
            terminal.out().println(figures.text());
        }
        if (report != null) {
            LowRankReport.write(report, figures, terminal);
        }
        if (rankPattern != null) {
            RankPattern.write(rankPattern, figures.ranks());
            terminal.err()
                    .println(rankPattern + ": the rank of each module that keeps "
                            + UpdateReport.percent(figures.energy()) + " of its energy");
        }
    }

    private void compare() {
        try (PeftAdapter first = PeftAdapter.open(adapters.getFirst());
                PeftAdapter second = PeftAdapter.open(adapters.getLast())) {
            List<LinearShape> shared = shapes(first).stream()
                    .filter(shape -> second.modules().containsKey(shape.name()))
                    .toList();
            if (shared.isEmpty()) {
                throw new RankineException(adapters.getLast() + ": has no module in common with " + adapters.getFirst()
                        + "; are they of one base model?");
            }
            SimilarityReport figures = new SimilarityReport(
                    adapters.getFirst(),
                    adapters.getLast(),
                    ModuleWork.run(shared, kernels, terminal, (module, _) -> similarity(first, second, module)),
                    (first.modules().size() - shared.size()) + (second.modules().size() - shared.size()));
            if (json.wanted()) {
                terminal.out().println(figures.json());
            } else {
                terminal.out().println(figures.text());
            }
            if (report != null) {
                LowRankReport.write(report, figures, terminal);
            }
        }
    }

    private ModuleSimilarity similarity(PeftAdapter first, PeftAdapter second, LinearShape module) {
        long inputs = second.modules().get(module.name()).a().cols();
        if (inputs != module.inputs()) {
            throw new RankineException(
                    adapters.getLast() + ": " + module.name() + " has " + inputs + " input features, in "
                            + adapters.getFirst() + " " + module.inputs() + "; they are of different base models");
        }
        return new ModuleSimilarity(
                module.name(),
                LowRank.similarity(
                        decompose(first, adapters.getFirst(), module.name()),
                        decompose(second, adapters.getLast(), module.name())));
    }
}
