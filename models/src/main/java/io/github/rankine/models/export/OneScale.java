package io.github.rankine.models.export;

import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The one scale that a format has where modules may have one each: that of most modules, whose B then stays as it is.
 *
 * @param value what to write for all
 * @param own   what each module has
 */
record OneScale(double value, Map<String, Double> own) {
    /** The value that most of {@code own} have; of several, the first. */
    static OneScale of(SequencedMap<String, Double> own) {
        Map<Double, Long> counts = own.values().stream()
                .collect(Collectors.groupingBy(Function.identity(), LinkedHashMap::new, Collectors.counting()));
        long most = counts.values().stream().max(Comparator.naturalOrder()).orElseThrow();
        double value = counts.entrySet().stream()
                .filter(entry -> entry.getValue() == most)
                .findFirst()
                .orElseThrow()
                .getKey();
        return new OneScale(value, own);
    }

    /** What the module's B is multiplied by to make up for the difference. */
    double factor(String module) {
        return own.get(module) / value;
    }

    /** The modules whose B changes. */
    List<String> rescaled() {
        return own.keySet().stream().filter(module -> factor(module) != 1).toList();
    }
}
