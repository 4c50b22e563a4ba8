package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.models.json.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What two adapters have in common, module by module and on average.
 *
 * @param modules    those that both adapt
 * @param unmatched  number of modules that only one of them adapts
 */
record SimilarityReport(Path first, Path second, List<ModuleSimilarity> modules, int unmatched) {
    /** Rows and columns of the table; a picture has room for more. */
    private static final int SHOWN = 8;

    String title() {
        return "Subspace similarity of " + first + " and " + second;
    }

    /** The mean over the modules, as far as all of them go. */
    double[][] mean() {
        int rows =
                modules.stream().mapToInt(module -> module.phi().length).min().orElseThrow();
        int cols = modules.stream()
                .mapToInt(module -> module.phi()[0].length)
                .min()
                .orElseThrow();
        double[][] mean = new double[rows][cols];
        for (ModuleSimilarity module : modules) {
            for (int i = 0; i < rows; i++) {
                for (int j = 0; j < cols; j++) {
                    mean[i][j] += module.phi()[i][j] / modules.size();
                }
            }
        }
        return mean;
    }

    String text() {
        double[][] mean = mean();
        int shownRows = Math.min(SHOWN, mean.length);
        int shownCols = Math.min(SHOWN, mean[0].length);
        List<List<String>> rows = new ArrayList<>();
        List<String> header = new ArrayList<>(List.of("i \\ j"));
        for (int j = 0; j < shownCols; j++) {
            header.add(Integer.toString(j + 1));
        }
        rows.add(header);
        for (int i = 0; i < shownRows; i++) {
            List<String> row = new ArrayList<>(List.of(Integer.toString(i + 1)));
            for (int j = 0; j < shownCols; j++) {
                row.add(number(mean[i][j]));
            }
            rows.add(row);
        }
        List<List<String>> each = new ArrayList<>(List.of(List.of("module", "φ(1, 1)", "φ of all")));
        modules.forEach(module -> each.add(List.of(module.name(), number(module.phi()[0][0]), number(module.ofAll()))));
        return title() + "\n\nφ(i, j), mean over " + modules.size()
                + " modules: 1 where the one's first directions lie in the"
                + " other's, 0 where they have nothing in common\n\n" + Table.of(rows, 1) + "\n" + Table.of(each, 1)
                + (unmatched == 0 ? "" : "\n" + unmatched + " modules are adapted by only one of the two.");
    }

    static String number(double value) {
        return String.format(Locale.ROOT, "%.3f", value);
    }

    ObjectNode json() {
        ObjectNode result = Json.mapper().createObjectNode();
        ArrayNode list = result.putArray("modules");
        modules.forEach(module -> put(list.addObject().put("name", module.name()), module.phi()));
        put(result.putObject("total").put("modules", modules.size()).put("unmatched_modules", unmatched), mean());
        return result;
    }

    private static void put(ObjectNode node, double[][] phi) {
        ArrayNode table = node.putArray("similarity");
        for (double[] row : phi) {
            ArrayNode array = table.addArray();
            for (double value : row) {
                array.add(value);
            }
        }
    }
}
