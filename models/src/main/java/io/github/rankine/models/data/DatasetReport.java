package io.github.rankine.models.data;

import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * What became of a file's records.
 *
 * @param samples       the records that are kept
 * @param tokens        all their tokens
 * @param learnedTokens the tokens that count in the loss
 * @param truncated     the samples, among those kept, that were cut off at the maximum length
 * @param dropped       the records that are not kept, by reason
 * @param longest       the tokens of the longest sample
 */
public record DatasetReport(
        int samples, long tokens, long learnedTokens, int truncated, Map<DropReason, Integer> dropped, int longest) {

    /** Why a record is no sample. */
    public enum DropReason {
        EMPTY("with nothing to learn"),
        CUT_OFF("with all that is learned beyond the maximum length");

        private final String description;

        DropReason(String description) {
            this.description = description;
        }
    }

    public DatasetReport {
        dropped = Map.copyOf(dropped);
    }

    /** All records that are not kept. */
    public int droppedRecords() {
        return dropped.values().stream().mapToInt(Integer::intValue).sum();
    }

    /** The report in one line. */
    public String summary() {
        StringBuilder line = new StringBuilder(String.format(
                Locale.ROOT,
                "%,d sample%s, %,d tokens (%,d learned), longest %,d",
                samples,
                samples == 1 ? "" : "s",
                tokens,
                learnedTokens,
                longest));
        if (truncated > 0) {
            line.append(String.format(Locale.ROOT, "; %,d truncated", truncated));
        }
        if (!dropped.isEmpty()) {
            line.append("; dropped ").append(droppedSummary());
        }
        return line.toString();
    }

    /** Such as "2 with nothing to learn". */
    String droppedSummary() {
        return new EnumMap<>(dropped)
                .entrySet().stream()
                        .map(entry ->
                                String.format(Locale.ROOT, "%,d %s", entry.getValue(), entry.getKey().description))
                        .collect(Collectors.joining(", "));
    }
}
