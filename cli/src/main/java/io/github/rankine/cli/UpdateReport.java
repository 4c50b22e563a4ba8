package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.models.json.Json;
import io.github.rankine.reference.lowrank.Spectrum;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The figures of an update, module by module and in all.
 *
 * @param title   what was measured
 * @param modules in the order they were measured in
 * @param energy  the share of its energy that a module's rank should keep
 */
record UpdateReport(String title, List<ModuleUpdate> modules, double energy) {
    private static final int COLUMNS_OF_ENERGY = 7;
    private static final int NAMES_SHOWN = 6;

    /** Whether an adapter was measured, which allots a rank to each module. */
    boolean isAdapter() {
        return modules.getFirst().rank().isPresent();
    }

    /** The energy of all modules that is kept when each gets a rank of 1, 2, …, of the energy of all. */
    double[] energiesInAll() {
        double[] kept = new double[mostValues()];
        double all = 0;
        for (ModuleUpdate module : modules) {
            Spectrum spectrum = module.spectrum();
            double[] energies = spectrum.energies();
            for (int i = 0; i < kept.length; i++) {
                kept[i] += spectrum.squaredNorm() * energies[Math.min(i, energies.length - 1)];
            }
            all += spectrum.squaredNorm();
        }
        for (int i = 0; i < kept.length; i++) {
            kept[i] = all == 0 ? 1 : kept[i] / all;
        }
        return kept;
    }

    /** The most singular values that a module has. */
    int mostValues() {
        return modules.stream()
                .mapToInt(module -> module.spectrum().values().length)
                .max()
                .orElseThrow();
    }

    /** Ranks worth a column: powers of two, below the one that keeps everything. */
    List<Integer> powersOfTwo() {
        int most =
                modules.stream().allMatch(module -> module.spectrum().isComplete()) ? mostValues() - 1 : mostValues();
        return IntStream.iterate(1, rank -> rank <= most, rank -> 2 * rank)
                .limit(COLUMNS_OF_ENERGY)
                .boxed()
                .toList();
    }

    /**
     * The rank that each module needs for {@link #energy}, at least 1.
     *
     * @throws RankineException where the known singular values of a module are too few for it
     */
    Map<String, Integer> ranks() {
        Map<String, Integer> ranks = new LinkedHashMap<>();
        for (ModuleUpdate module : modules) {
            OptionalInt needed = module.spectrum().rankFor(energy);
            if (needed.isEmpty()) {
                throw new RankineException(module.name() + " needs more than the "
                        + module.spectrum().values().length + " singular values that were taken for "
                        + percent(energy) + " of its energy: raise --values, or lower --energy");
            }
            ranks.put(module.name(), Math.max(1, needed.getAsInt()));
        }
        return ranks;
    }

    private boolean knowsRanks() {
        return modules.stream()
                .allMatch(module -> module.spectrum().rankFor(energy).isPresent());
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
        double[] energies = energiesInAll();
        powersOfTwo().forEach(rank -> total.add(percent(energies[rank - 1])));
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
            row.add(rankFor(spectrum, ModuleUpdate.NEARLY_ALL));
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
        if (!knowsRanks()) {
            long tooFew = modules.stream()
                    .filter(module -> module.spectrum().rankFor(energy).isEmpty())
                    .count();
            lines.add(tooFew + " of " + modules.size() + " modules need more than the " + mostValues()
                    + " singular values that were taken for " + percent(energy)
                    + " of their energy; --values takes more.");
        } else if (modules.stream().allMatch(module -> module.spectrum().squaredNorm() == 0)) {
            lines.add("The update is zero: nothing was learned.");
        } else {
            Map<String, Integer> ranks = ranks();
            String needed = Figures.exact(parameters(module -> ranks.get(module.name())));
            if (isAdapter()) {
                lines.add(percent(energy) + " of the update's energy takes " + needed + " of the adapter's "
                        + Figures.exact(parameters(module -> module.rank().getAsInt()))
                        + " parameters, with the rank that each module needs.");
            } else {
                lines.add(percent(energy) + " of the update's energy takes ranks from "
                        + Collections.min(ranks.values()) + " to " + Collections.max(ranks.values()) + ", " + needed
                        + " parameters in all.");
            }
        }
        lines.add(modulesThat(
                ModuleUpdate.Fit.WASTES, "waste rank, half of it holds 99 % of the update or more: lower it there"));
        lines.add(modulesThat(
                ModuleUpdate.Fit.SHORT, "are short of rank, they use all of it about equally: raise it there"));
        double furthest = modules.stream()
                .filter(module -> module.spectrum().residual() > 0)
                .mapToDouble(module ->
                        module.spectrum().errorBound() / module.spectrum().values()[0])
                .max()
                .orElse(0);
        if (furthest > 0) {
            lines.add("Singular values were found by random sampling; none is further off than "
                    + String.format(Locale.ROOT, "%.2g %%", 100 * furthest) + " of its module's largest.");
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
            spectrum.rankFor(ModuleUpdate.NEARLY_ALL).ifPresent(rank -> node.put("used_rank", rank));
            spectrum.rankFor(energy).ifPresent(rank -> node.put("rank_for_energy", rank));
            put(node, "effective_rank", spectrum.effectiveRank());
            node.put("stable_rank", spectrum.stableRank());
            putAll(node.putArray("singular_values"), spectrum.values());
            if (module.spectrum().residual() > 0) {
                node.put("error_bound", module.spectrum().errorBound());
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
        if (knowsRanks()) {
            Map<String, Integer> ranks = ranks();
            total.put("parameters_for_energy", parameters(module -> ranks.get(module.name())));
        }
        putAll(total.putArray("energy"), energiesInAll());
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
