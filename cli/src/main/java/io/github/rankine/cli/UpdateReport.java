package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.models.json.Json;
import io.github.rankine.reference.lowrank.Spectrum;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The figures of an update, module by module and in all.
 *
 * @param title   what was measured
 * @param modules in the model's order
 * @param energy  the share of its energy that a module's rank should keep
 */
record UpdateReport(String title, List<ModuleUpdate> modules, double energy) {
    private static final int COLUMNS_OF_ENERGY = 7;
    private static final int NAMES_SHOWN = 6;

    /** Whether an adapter was measured, which allots a rank to each module. */
    boolean isAdapter() {
        return modules.getFirst().rank().isPresent();
    }

    /** The energy of all modules that is kept when each gets this rank, of the energy of all. */
    double energyInAll(int rank) {
        double all = modules.stream()
                .mapToDouble(module -> module.spectrum().squaredNorm())
                .sum();
        double kept = modules.stream()
                .mapToDouble(module ->
                        module.spectrum().squaredNorm() * module.spectrum().energy(rank))
                .sum();
        return all == 0 ? 1 : kept / all;
    }

    /** The most singular values that a module has. */
    int mostValues() {
        return modules.stream()
                .mapToInt(module -> module.spectrum().values().length)
                .max()
                .orElseThrow();
    }

    /** Ranks worth a column: powers of two, below the highest. */
    List<Integer> powersOfTwo() {
        return IntStream.iterate(1, rank -> rank < mostValues(), rank -> 2 * rank)
                .limit(COLUMNS_OF_ENERGY)
                .boxed()
                .toList();
    }

    /** The rank that each module needs for {@link #energy}, at least 1; all known ranks where even those are too few. */
    Map<String, Integer> ranks() {
        Map<String, Integer> ranks = new LinkedHashMap<>();
        modules.forEach(module -> ranks.put(module.name(), neededRank(module.spectrum())));
        return ranks;
    }

    private int neededRank(Spectrum spectrum) {
        return Math.max(1, spectrum.rankFor(energy).orElse(spectrum.values().length));
    }

    /** Parameters of an adapter with such a rank for each module. */
    long parameters(Function<ModuleUpdate, Integer> rank) {
        return modules.stream()
                .mapToLong(module -> (long) rank.apply(module)
                        * (module.spectrum().rows() + module.spectrum().cols()))
                .sum();
    }

    String text() {
        List<List<String>> rows = new ArrayList<>();
        rows.add(header());
        modules.forEach(module -> rows.add(row(module)));
        List<String> total = new ArrayList<>(List.of("all " + modules.size() + " modules", ""));
        if (isAdapter()) {
            total.addAll(List.of("", ""));
        }
        total.addAll(List.of("", "", ""));
        powersOfTwo().forEach(rank -> total.add(percent(energyInAll(rank))));
        while (total.size() < rows.getFirst().size()) {
            total.add("");
        }
        rows.add(total);
        return title + "\n\n" + Table.of(rows, 1) + "\n" + advice();
    }

    private List<String> header() {
        List<String> header = new ArrayList<>(List.of("module", "shape"));
        if (isAdapter()) {
            header.addAll(List.of("rank", "used"));
        }
        header.addAll(List.of("effective", "stable", "for " + percent(energy)));
        powersOfTwo().forEach(rank -> header.add("kept at " + rank));
        if (has(module -> module.amplification().isPresent())) {
            header.add("amplified");
        }
        if (has(module -> module.intruders().isPresent())) {
            header.add("intruders");
        }
        if (isAdapter()) {
            header.add("rank is");
        }
        return header;
    }

    private boolean has(Predicate<ModuleUpdate> field) {
        return modules.stream().anyMatch(field);
    }

    private List<String> row(ModuleUpdate module) {
        Spectrum spectrum = module.spectrum();
        List<String> row = new ArrayList<>(List.of(module.name(), spectrum.rows() + " x " + spectrum.cols()));
        if (isAdapter()) {
            row.add(Integer.toString(module.rank().getAsInt()));
            row.add(rankFor(spectrum, ModuleUpdate.ALL_BUT_NOTHING));
        }
        row.add(
                spectrum.effectiveRank().isPresent()
                        ? decimal(spectrum.effectiveRank().getAsDouble())
                        : "?");
        row.add(decimal(spectrum.stableRank()));
        row.add(rankFor(spectrum, energy));
        powersOfTwo().forEach(rank -> row.add(percent(spectrum.energy(rank))));
        if (has(other -> other.amplification().isPresent())) {
            row.add(decimal(module.amplification().orElse(Double.NaN)));
        }
        if (has(other -> other.intruders().isPresent())) {
            row.add(Integer.toString(module.intruders().orElse(0)));
        }
        if (isAdapter()) {
            row.add(
                    switch (module.fit()) {
                        case WASTES -> "wasted";
                        case SHORT -> "short";
                        case FITS -> "";
                    });
        }
        return row;
    }

    private static String rankFor(Spectrum spectrum, double energy) {
        return spectrum.rankFor(energy).isPresent()
                ? Integer.toString(spectrum.rankFor(energy).getAsInt())
                : "over " + spectrum.values().length;
    }

    /** What the figures say of the rank, in sentences. */
    String advice() {
        List<String> lines = new ArrayList<>();
        long needed = parameters(module -> neededRank(module.spectrum()));
        if (isAdapter()) {
            long allotted = parameters(module -> module.rank().getAsInt());
            lines.add(percent(energy) + " of the update's energy takes " + Figures.exact(needed) + " of the adapter's "
                    + Figures.exact(allotted) + " parameters, with the rank that each module needs.");
            lines.add(modulesThat(
                    ModuleUpdate.Fit.WASTES,
                    "waste rank, half of it holds 99 % of the update or more: lower it there"));
            lines.add(modulesThat(
                    ModuleUpdate.Fit.SHORT, "are short of rank, they use all of it about equally: raise it there"));
        } else {
            lines.add(percent(energy) + " of the update's energy takes ranks from "
                    + ranks().values().stream()
                            .mapToInt(Integer::intValue)
                            .min()
                            .orElseThrow() + " to "
                    + ranks().values().stream()
                            .mapToInt(Integer::intValue)
                            .max()
                            .orElseThrow() + ", "
                    + Figures.exact(needed) + " parameters in all.");
        }
        double furthest = modules.stream()
                .filter(module -> module.residual() > 0)
                .mapToDouble(module -> module.residual() / module.spectrum().values()[0])
                .max()
                .orElse(0);
        if (furthest > 0) {
            lines.add("Singular values were found by random sampling; none is further off than "
                    + String.format(Locale.ROOT, "%.2g", furthest) + " times its module's largest.");
        }
        return lines.stream().filter(line -> !line.isEmpty()).collect(Collectors.joining("\n"));
    }

    private String modulesThat(ModuleUpdate.Fit fit, String what) {
        List<String> names = modules.stream()
                .filter(module -> module.fit() == fit)
                .map(ModuleUpdate::name)
                .toList();
        if (names.isEmpty()) {
            return "";
        }
        String shown = String.join(", ", names.subList(0, Math.min(NAMES_SHOWN, names.size())));
        return names.size() + " of " + modules.size() + " modules " + what + ": " + shown
                + (names.size() > NAMES_SHOWN ? " and " + (names.size() - NAMES_SHOWN) + " more." : ".");
    }

    ObjectNode json() {
        ObjectNode result = Json.mapper().createObjectNode();
        ArrayNode list = result.putArray("modules");
        for (ModuleUpdate module : modules) {
            Spectrum spectrum = module.spectrum();
            ObjectNode node = list.addObject().put("name", module.name());
            node.putArray("shape").add(spectrum.rows()).add(spectrum.cols());
            module.rank().ifPresent(rank -> node.put("rank", rank));
            if (module.rank().isEmpty()) {
                node.put("rank", spectrum.rank());
            }
            spectrum.rankFor(ModuleUpdate.ALL_BUT_NOTHING).ifPresent(rank -> node.put("used_rank", rank));
            spectrum.rankFor(energy).ifPresent(rank -> node.put("rank_for_energy", rank));
            put(node, "effective_rank", spectrum.effectiveRank());
            node.put("stable_rank", spectrum.stableRank());
            putAll(node.putArray("singular_values"), spectrum.values());
            if (module.residual() > 0) {
                node.put("error_bound", module.residual());
            }
            putAll(node.putArray("energy"), spectrum.energies());
            put(node, "amplification", module.amplification());
            module.intruders().ifPresent(count -> node.put("intruder_dimensions", count));
            if (isAdapter()) {
                node.put("fit", module.fit().name().toLowerCase(Locale.ROOT));
            }
        }
        ObjectNode total = result.putObject("total").put("modules", modules.size());
        total.put("wanted_energy", energy);
        if (isAdapter()) {
            total.put("parameters", parameters(module -> module.rank().getAsInt()));
        }
        total.put("parameters_for_energy", parameters(module -> neededRank(module.spectrum())));
        putAll(
                total.putArray("energy"),
                IntStream.rangeClosed(1, mostValues())
                        .mapToDouble(this::energyInAll)
                        .toArray());
        return result;
    }

    private static void put(ObjectNode node, String name, OptionalDouble value) {
        if (value.isPresent() && Double.isFinite(value.getAsDouble())) {
            node.put(name, value.getAsDouble());
        }
    }

    private static void putAll(ArrayNode array, double[] values) {
        for (double value : values) {
            array.add(value);
        }
    }

    static String percent(double share) {
        // 99.96 % is not all of it, but for rounding it is.
        double shown = share < 1 - 1e-9 ? Math.min(share, 0.999) : 1;
        return String.format(Locale.ROOT, shown == 1 ? "%.0f %%" : "%.1f %%", 100 * shown)
                .replace(".0 %", " %");
    }

    static String decimal(double value) {
        return Double.isNaN(value) ? "" : String.format(Locale.ROOT, "%.2f", value);
    }
}
