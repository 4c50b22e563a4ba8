package io.github.rankine.models.data;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.train.Sample;
import io.github.rankine.models.chat.ChatTemplate;
import io.github.rankine.models.data.DatasetReport.DropReason;
import io.github.rankine.models.json.JsonObject;
import io.github.rankine.models.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads a file of records, JSON Lines or one JSON array, and makes samples of them. Each record's kind is recognised by
 * its keys; kinds may be mixed. Known are
 *
 * <ul>
 *   <li>{@code text}: learned whole;
 *   <li>{@code prompt} and {@code completion}: one text, without anything put between them;
 *   <li>{@code messages} of {@code role} and {@code content}, and ShareGPT's {@code conversations} of {@code from} and
 *       {@code value}: the chat template's text, of which the assistant's turns are learned;
 *   <li>alpaca's {@code instruction}, {@code input} and {@code output}, with {@code system} and {@code history};
 *   <li>{@code input_ids} with optional {@code labels}: taken as they are.
 * </ul>
 *
 * <p>Every text ends with the end-of-sequence token, learned. The last step is to cut samples off at the maximum length.
 */
public final class DatasetReader {
    private final DatasetOptions options;
    private final Optional<Tokenizer> tokenizer;
    private final RecordText recordText;

    private final List<Sample> samples = new ArrayList<>();
    private final Map<DropReason, Integer> dropped = new EnumMap<>(DropReason.class);
    private int truncated;

    private DatasetReader(DatasetOptions options, Optional<Tokenizer> tokenizer, Optional<ChatTemplate> template) {
        this.options = options;
        this.tokenizer = tokenizer;
        this.recordText = new RecordText(template);
    }

    /**
     * Reads a file.
     *
     * @param tokenizer the model's; {@code input_ids} records need none
     * @param template  lays out conversations; other records need none
     * @throws RankineException when the file or a record is not as described above (with its line), or nothing can be
     *     learned from it
     */
    public static Dataset read(
            Path file, DatasetOptions options, Optional<Tokenizer> tokenizer, Optional<ChatTemplate> template) {
        DatasetReader reader = new DatasetReader(options, tokenizer, template);
        RecordReader.read(file, reader::add);
        return reader.finish(file);
    }

    private void add(JsonObject record, String place) {
        RecordKind kind = RecordKind.of(record, place);
        Sample sample = kind == RecordKind.TOKENS
                ? SampleBuilder.ofTokens(record, options.vocabSize())
                : ofText(recordText.of(kind, record, place), place);
        if (sample.learnedTokens() == 0) {
            dropped.merge(DropReason.EMPTY, 1, Integer::sum);
            return;
        }
        Sample kept = cut(sample);
        if (kept.learnedTokens() == 0) {
            dropped.merge(DropReason.CUT_OFF, 1, Integer::sum);
            return;
        }
        truncated += kept.length() < sample.length() ? 1 : 0;
        boolean whole = options.trainOnPrompt() && kind != RecordKind.TOKENS;
        samples.add(whole ? Sample.of(kept.inputIds()) : kept);
    }

    private Sample ofText(LearnedText text, String place) {
        Tokenizer own = tokenizer.orElseThrow(() -> new RankineException(place
                + ": text needs a tokenizer and the model has no tokenizer.json; copy it into the model's folder"));
        if (text.isEmpty()) {
            return Sample.of();
        }
        Sample sample = SampleBuilder.ofText(text, own, place);
        for (int id : sample.inputIds()) {
            if (id >= options.vocabSize()) {
                throw new RankineException(place + ": the tokenizer gives token " + id + ", the model's vocabulary has "
                        + options.vocabSize() + "; tokenizer.json and config.json do not belong together");
            }
        }
        return sample;
    }

    private Sample cut(Sample sample) {
        return sample.length() <= options.maxLength()
                ? sample
                : new Sample(
                        Arrays.copyOf(sample.inputIds(), options.maxLength()),
                        Arrays.copyOf(sample.labels(), options.maxLength()));
    }

    private Dataset finish(Path file) {
        DatasetReport report = new DatasetReport(
                samples.size(),
                samples.stream().mapToLong(Sample::length).sum(),
                samples.stream().mapToLong(Sample::learnedTokens).sum(),
                truncated,
                dropped,
                samples.stream().mapToInt(Sample::length).max().orElse(0));
        if (samples.isEmpty()) {
            throw new RankineException(
                    dropped.isEmpty()
                            ? file + ": no records; expected JSON Lines or a JSON array of records"
                            : file + ": no token to learn in any record (" + report.droppedSummary()
                                    + "); raise the maximum length, " + options.maxLength()
                                    + ", or mend the records' completions");
        }
        return new Dataset(samples, report);
    }
}
