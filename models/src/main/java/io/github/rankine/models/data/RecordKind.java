package io.github.rankine.models.data;

import io.github.rankine.engine.RankineException;
import io.github.rankine.models.json.JsonObject;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The layouts of records, recognised by their keys. Other keys may be there as well; the first kind whose keys are all
 * there is taken, so that an alpaca record that also carries its rendered {@code text} is an alpaca record.
 */
enum RecordKind {
    TOKENS("input_ids"),
    MESSAGES("messages"),
    SHAREGPT("conversations"),
    ALPACA("instruction", "output"),
    PROMPT_COMPLETION("prompt", "completion"),
    TEXT("text");

    private final List<String> keys;

    RecordKind(String... keys) {
        this.keys = List.of(keys);
    }

    static RecordKind of(JsonObject record, String place) {
        Set<String> names = new HashSet<>(record.names());
        return Arrays.stream(values())
                .filter(kind -> names.containsAll(kind.keys))
                .findFirst()
                .orElseThrow(() -> new RankineException(place + ": a record with the keys " + record.names()
                        + "; known are records with "
                        + Arrays.stream(values())
                                .map(kind -> String.join(" and ", kind.keys))
                                .collect(Collectors.joining("; "))));
    }
}
