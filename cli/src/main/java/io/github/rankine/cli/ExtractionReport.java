package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.models.json.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/**
 * What an extraction kept and what it lost.
 *
 * @param output     the adapter's folder
 * @param energy     share of the linear layers' update that it keeps
 * @param parameters of the adapter
 * @param ranks      by module
 * @param leftOut    what changed beside the linear layers, by name, with {@code ‖ΔW‖ / ‖W‖}, the largest first
 * @param losses     empty where there were no data to measure them on
 */
record ExtractionReport(
        Path output,
        double energy,
        long parameters,
        Map<String, Integer> ranks,
        Map<String, Double> leftOut,
        List<LossByRank.Row> losses) {
    private static final int NAMES_SHOWN = 3;

    String text() {
        int highest = ranks.values().stream().mapToInt(Integer::intValue).max().orElseThrow();
        int lowest = ranks.values().stream().mapToInt(Integer::intValue).min().orElseThrow();
        String text = output + ": adapter of " + ranks.size() + " modules, rank "
                + (lowest == highest ? highest : lowest + " to " + highest) + ", " + Figures.count(parameters)
                + " parameters; it keeps " + UpdateReport.percent(energy) + " of the linear layers' update";
        if (!leftOut.isEmpty()) {
            text += "\nnot in it, for an adapter holds linear layers alone: "
                    + leftOut.entrySet().stream()
                            .limit(NAMES_SHOWN)
                            .map(entry -> entry.getKey() + " (" + percent(entry.getValue()) + ")")
                            .collect(Collectors.joining(", "))
                    + (leftOut.size() > NAMES_SHOWN ? " and " + (leftOut.size() - NAMES_SHOWN) + " more" : "");
        }
        return losses.isEmpty() ? text : text + "\n\n" + table();
    }

    private String table() {
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("", "parameters", "energy", "training loss", "held-out loss", "gap"));
        for (LossByRank.Row row : losses) {
            rows.add(List.of(
                    row.name(),
                    row.parameters() == 0 ? "" : Figures.exact(row.parameters()),
                    row.energy().isPresent() ? UpdateReport.percent(row.energy().getAsDouble()) : "",
                    number(row.loss()),
                    number(row.evalLoss()),
                    number(row.gap())));
        }
        return Table.of(rows, 1);
    }

    private static String number(OptionalDouble value) {
        return value.isEmpty() ? "" : String.format(Locale.ROOT, "%.4f", value.getAsDouble());
    }

    private static String percent(double share) {
        return Double.isInfinite(share)
                ? "was zero"
                : String.format(Locale.ROOT, share < 0.1 ? "changed by %.2f %%" : "changed by %.0f %%", 100 * share);
    }

    ObjectNode json() {
        ObjectNode result = Json.mapper().createObjectNode();
        result.put("output", output.toString());
        result.put("energy", energy);
        result.put("parameters", parameters);
        ObjectNode rankNode = result.putObject("ranks");
        ranks.forEach(rankNode::put);
        ObjectNode left = result.putObject("left_out");
        leftOut.forEach((name, change) -> left.put(name, Double.isFinite(change) ? change : null));
        if (!losses.isEmpty()) {
            ArrayNode table = result.putArray("losses");
            for (LossByRank.Row row : losses) {
                ObjectNode node = table.addObject().put("name", row.name());
                row.rank().ifPresent(rank -> node.put("rank", rank));
                row.energy().ifPresent(share -> node.put("energy", share));
                if (row.parameters() > 0) {
                    node.put("parameters", row.parameters());
                }
                row.loss().ifPresent(loss -> node.put("loss", loss));
                row.evalLoss().ifPresent(loss -> node.put("eval_loss", loss));
                row.gap().ifPresent(gap -> node.put("gap", gap));
            }
        }
        return result;
    }
}
