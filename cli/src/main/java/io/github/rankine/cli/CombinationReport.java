package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.models.json.Json;
import io.github.rankine.reference.lowrank.Spectrum;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Comparator;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;

/**
 * What a combination of adapters kept and what its rank lost.
 *
 * @param output     the adapter's folder
 * @param method     how it was made
 * @param ranks      by module
 * @param parameters of the adapter
 * @param spectra    by module, of what was kept, with the norm of the whole; empty where nothing was cut off
 */
record CombinationReport(
        Path output, CombineMethod method, Map<String, Integer> ranks, long parameters, Map<String, Spectrum> spectra) {

    private boolean isExact() {
        return spectra.isEmpty();
    }

    /** The share of the combined update's energy that the adapter keeps; empty where it is all of it by construction. */
    OptionalDouble energy() {
        if (isExact()) {
            return OptionalDouble.empty();
        }
        double all = squaredNorm();
        double kept = spectra.values().stream()
                .mapToDouble(spectrum -> spectrum.squaredNorm() * energy(spectrum))
                .sum();
        return OptionalDouble.of(all == 0 ? 1 : Math.min(1, kept / all));
    }

    /** Whether nothing was left to be cut to a rank. */
    boolean isZero() {
        return !isExact() && squaredNorm() == 0;
    }

    private double squaredNorm() {
        return spectra.values().stream().mapToDouble(Spectrum::squaredNorm).sum();
    }

    private static double energy(Spectrum spectrum) {
        return spectrum.energy(spectrum.values().length);
    }

    /** {@code ‖ΔW − kept‖_F / ‖ΔW‖_F}. */
    private static double error(double energy) {
        return Math.sqrt(1 - energy);
    }

    private Map.Entry<String, Spectrum> worst() {
        return Collections.min(spectra.entrySet(), Comparator.comparingDouble(entry -> energy(entry.getValue())));
    }

    String text() {
        int highest = Collections.max(ranks.values());
        int lowest = Collections.min(ranks.values());
        String made = output + ": adapter of " + ranks.size() + " modules by " + method + ", rank "
                + (lowest == highest ? highest : lowest + " to " + highest) + ", " + Figures.count(parameters)
                + " parameters; ";
        if (isExact()) {
            return made + "it is the weighted sum exactly";
        }
        return made + "it keeps " + share(energy().getAsDouble()) + " of the combined update\nworst module: "
                + worst().getKey() + ", " + share(energy(worst().getValue()));
    }

    private static String share(double energy) {
        return UpdateReport.percent(energy) + String.format(Locale.ROOT, " (relative error %.2g)", error(energy));
    }

    ObjectNode json() {
        ObjectNode result = Json.mapper().createObjectNode();
        result.put("output", output.toString());
        result.put("method", method.toString());
        result.put("parameters", parameters);
        result.put("exact", isExact());
        if (!isExact()) {
            put(result, energy().getAsDouble());
            put(result.putObject("worst").put("module", worst().getKey()), energy(worst().getValue()));
        }
        ObjectNode rankNode = result.putObject("ranks");
        ranks.forEach(rankNode::put);
        return result;
    }

    private static void put(ObjectNode node, double energy) {
        node.put("energy", energy).put("frobenius_error", error(energy));
    }
}
