package io.github.rankine.cli;

import io.github.rankine.engine.kernels.Dropout;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.AdapterWeights;
import io.github.rankine.engine.lora.LinearShape;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.models.peft.ModelCard;
import io.github.rankine.models.peft.PeftAdapter;
import io.github.rankine.models.peft.PeftConfig;
import io.github.rankine.reference.combine.Dare;
import io.github.rankine.reference.combine.Ties;
import io.github.rankine.reference.combine.WeightedSum;
import io.github.rankine.reference.combine.WeightedUpdate;
import io.github.rankine.reference.lowrank.Decomposition;
import io.github.rankine.reference.lowrank.LowRank;
import io.github.rankine.reference.lowrank.Spectrum;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code rankine adapters combine}. */
@Command(
        name = "combine",
        description = {
            "Makes one adapter of several of one base, by PEFT's methods. A module that only some of them have counts"
                    + " as zero in the others.",
            "cat: the weighted sum of the updates, exactly; the ranks add up.",
            "svd: the weighted sum, cut to --rank by singular value decomposition.",
            "ties_svd: of each update the largest elements, the share --density; an element of the result is the mean"
                    + " of the weighted ones that have the sign of their total. With weights of 1 that is as strong as"
                    + " one of the updates. Cut to --rank.",
            "dare_linear_svd: of each update random elements, the share --density, enlarged to make up for the others;"
                    + " their weighted sum, cut to --rank.",
            "The result says how much of the combined update the rank keeps."
        })
final class CombineCommand implements Runnable {
    /**
     * Singular values that are looked for, of one that is kept: those of thinned out updates decay slowly, and the largest are found the
     * better the more are sampled.
     */
    private static final int OVERSAMPLING = 4;

    private final Terminal terminal;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--adapter",
            required = true,
            paramLabel = "DIR[:WEIGHT]",
            converter = WeightedAdapter.Converter.class,
            description =
                    "Folder of a PEFT LoRA adapter, and how much of it (default: 1; may be negative). Two or more.")
    private List<WeightedAdapter> adapters = new ArrayList<>();

    @Option(
            names = "--method",
            required = true,
            paramLabel = "NAME",
            converter = CombineMethod.Name.class,
            description = "cat, svd, ties_svd or dare_linear_svd.")
    private CombineMethod method;

    @Option(
            names = "--rank",
            paramLabel = "R",
            description =
                    "Rank that is kept of each module, less where its matrix has less (default: the largest of the"
                            + " adapters').")
    private Integer rank;

    @Option(
            names = "--density",
            paramLabel = "SHARE",
            description =
                    "Of ties_svd and dare_linear_svd: elements of each update that are kept, above 0 and up to 1.")
    private Double density;

    @Option(names = "--seed", paramLabel = "N", description = "Of dare_linear_svd's random elements (default: 0).")
    private Long seed;

    @Option(names = "--output", required = true, paramLabel = "DIR", description = "New or empty folder to write.")
    private Path output;

    @Mixin
    private KernelOptions kernels;

    @Mixin
    private JsonOption json;

    CombineCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        requireSensible();
        EmptyFolder.require(output, "--output");
        try (AdapterSet set = AdapterSet.open(adapters);
                Arena arena = Arena.ofShared()) {
            set.doubt().ifPresent(terminal::note);
            CombinationReport report = method == CombineMethod.CAT ? concatenate(set, arena) : truncate(set, arena);
            if (report.isZero()) {
                terminal.note("the combined update is zero: the adapters are untrained, cancel out, or --density keeps"
                        + " too little of them");
            }
            if (json.wanted()) {
                terminal.out().println(report.json());
            } else {
                terminal.out().println(report.text());
            }
        }
    }

    private void requireSensible() {
        if (adapters.size() < 2) {
            throw Usage.wrong(spec, "--adapter: one alone has nothing to be combined with; name two or more");
        }
        double weights = adapters.stream()
                .mapToDouble(adapter -> Math.abs(adapter.weight()))
                .sum();
        if (weights == 0) {
            throw Usage.wrong(spec, "--adapter: all weights are zero, which leaves nothing; give one another weight");
        }
        if (weights > Float.MAX_VALUE) {
            throw Usage.wrong(spec, "--adapter: the weights add up to more than float32 holds; choose smaller ones");
        }
        if (rank != null && method == CombineMethod.CAT) {
            throw Usage.wrong(spec, "--rank is not for cat, which adds the ranks up; svd cuts the same sum to a rank");
        }
        if (rank != null && rank < 1) {
            throw Usage.wrong(spec, "--rank " + rank + ": must be at least 1");
        }
        if (method.thins() && density == null) {
            throw Usage.wrong(spec, "--method " + method + " needs --density, the share of elements that it keeps");
        }
        if (!method.thins() && density != null) {
            throw Usage.wrong(spec, "--density is for ties_svd and dare_linear_svd; " + method + " keeps all elements");
        }
        if (density != null && !(density > 0 && density <= 1)) {
            throw Usage.wrong(spec, "--density " + density + ": must be above 0 and at most 1");
        }
        if (seed != null && method != CombineMethod.DARE_LINEAR_SVD) {
            throw Usage.wrong(spec, "--seed is for dare_linear_svd; nothing is random in " + method);
        }
    }

    private CombinationReport concatenate(AdapterSet set, Arena arena) {
        List<LinearShape> modules = set.modules();
        List<LoraWeights> sums = ModuleWork.run(
                modules, kernels, terminal, (module, _) -> WeightedSum.of(set.updates(module.name()), arena));
        Map<String, LoraWeights> weights = new LinkedHashMap<>();
        Map<String, Integer> ranks = new LinkedHashMap<>();
        for (int i = 0; i < sums.size(); i++) {
            weights.put(modules.get(i).name(), sums.get(i));
            ranks.put(modules.get(i).name(), sums.get(i).rank());
        }
        return write(set, weights, new CombinationReport(output, method, ranks, parameters(weights), Map.of()));
    }

    private CombinationReport truncate(AdapterSet set, Arena arena) {
        int kept = rank == null ? set.largestRank() : rank;
        List<LinearShape> modules = set.modules();
        List<Decomposition> found = ModuleWork.run(
                modules,
                kernels,
                terminal,
                (module, own) ->
                        decompose(module, set.updates(module.name()), kept, own).truncated(kept));
        Map<String, Decomposition> updates = new LinkedHashMap<>();
        Map<String, Spectrum> spectra = new LinkedHashMap<>();
        for (int i = 0; i < found.size(); i++) {
            updates.put(modules.get(i).name(), found.get(i));
            spectra.put(modules.get(i).name(), found.get(i).spectrum());
        }
        Extraction extraction = new Extraction(updates);
        Map<String, Integer> ranks = extraction.ranks(kept);
        Map<String, LoraWeights> weights = extraction.weights(ranks, arena);
        return write(set, weights, new CombinationReport(output, method, ranks, parameters(weights), spectra));
    }

    /** What the method makes of a module, its {@code kept} largest singular values or more. */
    private Decomposition decompose(LinearShape module, List<WeightedUpdate> updates, int kept, Kernels own) {
        String name = module.name();
        try (Arena scratch = Arena.ofShared()) {
            return switch (method) {
                // The updates themselves are never formed.
                case CAT, SVD -> LowRank.decompose(name, WeightedSum.of(updates, scratch), 1);
                case TIES_SVD -> largest(name, Ties.merge(updates, density, own, scratch), kept, own);
                case DARE_LINEAR_SVD ->
                    largest(name, Dare.sum(updates, density, seed(module), own, scratch), kept, own);
            };
        }
    }

    private static Decomposition largest(String name, Tensor sum, int kept, Kernels own) {
        long most = Math.min(sum.rows(), sum.cols());
        return LowRank.largest(name, sum, (int) Math.min((long) OVERSAMPLING * kept, most), own);
    }

    private long seed(LinearShape module) {
        return Dropout.seedOf(seed == null ? 0 : seed, module.name().hashCode());
    }

    private static long parameters(Map<String, LoraWeights> weights) {
        return weights.values().stream().mapToLong(LoraWeights::parameters).sum();
    }

    private CombinationReport write(AdapterSet set, Map<String, LoraWeights> weights, CombinationReport report) {
        PeftAdapter.write(
                output,
                new PeftConfig(
                        Extraction.config(report.ranks()), set.base(), set.fanInFanOut(), set.baseQuantization()),
                AdapterWeights.of(weights),
                ModelCard.combined(set.parts(), methodInWords(), report.energy()));
        return report;
    }

    private String methodInWords() {
        return switch (method) {
            case CAT, SVD -> method.toString();
            case TIES_SVD -> method + ", density " + density;
            case DARE_LINEAR_SVD -> method + ", density " + density + ", seed " + (seed == null ? 0 : seed);
        };
    }
}
