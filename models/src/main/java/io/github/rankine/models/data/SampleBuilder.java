package io.github.rankine.models.data;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.train.Sample;
import io.github.rankine.models.data.LearnedText.Range;
import io.github.rankine.models.json.JsonObject;
import io.github.rankine.models.tokenizer.Encoding;
import io.github.rankine.models.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.Set;

/**
 * Makes tokens and labels, uncut. The whole text is tokenized at once; a token is learned when it covers any character
 * that is to be learned, so that one across the boundary is: at inference the model writes such a token after the prompt's
 * last whole one.
 */
final class SampleBuilder {
    private SampleBuilder() {}

    static Sample ofText(LearnedText text, Tokenizer tokenizer, String place) {
        Encoding encoding = tokenizer.encode(text.text(), !text.rendered());
        int[] ids = encoding.ids();
        int[] labels = new int[ids.length];
        Arrays.fill(labels, Sample.IGNORED);
        int lastLearned = -1;
        int range = 0;
        for (int t = 0; t < ids.length; t++) {
            if (encoding.starts()[t] == Encoding.NOWHERE) {
                continue;
            }
            while (range < text.learned().size() && text.learned().get(range).end() <= encoding.starts()[t]) {
                range++;
            }
            if (range < text.learned().size() && overlaps(text.learned().get(range), encoding, t)) {
                labels[t] = ids[t];
                lastLearned = t;
            }
        }
        return lastLearned < 0
                ? new Sample(ids, labels)
                : ended(ids, labels, lastLearned, text.rendered(), tokenizer, place);
    }

    private static boolean overlaps(Range range, Encoding encoding, int t) {
        return encoding.starts()[t] < range.end() && encoding.ends()[t] > range.start();
    }

    /**
     * Ends with a learned end-of-sequence token: the one that is there, or one more. In a conversation it takes the place of
     * what the template writes after the last turn, a line break as a rule.
     */
    private static Sample ended(
            int[] ids, int[] labels, int lastLearned, boolean rendered, Tokenizer tokenizer, String place) {
        Set<Integer> eos = tokenizer.eosTokenIds();
        if (rendered ? eos.contains(ids[lastLearned]) : eos.contains(ids[ids.length - 1])) {
            if (!rendered) {
                labels[ids.length - 1] = ids[ids.length - 1];
            }
            return new Sample(ids, labels);
        }
        int token = tokenizer
                .eosTokenId()
                .orElseThrow(() ->
                        new RankineException(place + ": the end of the text cannot be learned, for the model names"
                                + " no end-of-sequence token; set eos_token in its tokenizer_config.json"));
        int length = rendered ? lastLearned + 1 : ids.length;
        int[] endedIds = Arrays.copyOf(ids, length + 1);
        int[] endedLabels = Arrays.copyOf(labels, length + 1);
        endedIds[length] = token;
        endedLabels[length] = token;
        return new Sample(endedIds, endedLabels);
    }

    /** Tokens already made. */
    static Sample ofTokens(JsonObject record, int vocabSize) {
        int[] ids = integers(record, "input_ids");
        for (int t = 0; t < ids.length; t++) {
            if (ids[t] < 0 || ids[t] >= vocabSize) {
                throw outside(record, "input_ids[" + t + "]", ids[t], vocabSize);
            }
        }
        if (!record.has("labels")) {
            return new Sample(ids, ids.clone());
        }
        int[] labels = integers(record, "labels");
        if (labels.length != ids.length) {
            throw record.error(
                    "labels", labels.length + " labels for " + ids.length + " input_ids; expected one for each");
        }
        for (int t = 0; t < labels.length; t++) {
            if (labels[t] != Sample.IGNORED && (labels[t] < 0 || labels[t] >= vocabSize)) {
                throw outside(record, "labels[" + t + "]", labels[t], vocabSize);
            }
        }
        return new Sample(ids, labels);
    }

    private static RankineException outside(JsonObject record, String field, int id, int vocabSize) {
        return record.error(
                field,
                id + " is no token of the model, whose vocabulary has " + vocabSize
                        + "; were these made with its own tokenizer?");
    }

    private static int[] integers(JsonObject record, String field) {
        JsonNode list = record.get(field);
        if (list == null || !list.isArray()) {
            throw record.unexpected(field, "a list of integers");
        }
        int[] values = new int[list.size()];
        for (int i = 0; i < values.length; i++) {
            if (!list.get(i).isIntegralNumber() || !list.get(i).canConvertToInt()) {
                throw record.error(field + "[" + i + "]", "expected an integer");
            }
            values[i] = list.get(i).intValue();
        }
        return values;
    }
}
