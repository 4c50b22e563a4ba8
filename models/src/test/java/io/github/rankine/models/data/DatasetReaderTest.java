package io.github.rankine.models.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.train.Sample;
import io.github.rankine.models.chat.ChatTemplate;
import io.github.rankine.models.data.DatasetReport.DropReason;
import io.github.rankine.models.tokenizer.Tokenizer;
import io.github.rankine.models.tokenizer.Tokenizers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DatasetReaderTest {
    private static final Tokenizer BYTE_LEVEL = Tokenizers.byteLevel();
    private static final Tokenizer SENTENCE_PIECE = Tokenizers.sentencePiece();
    private static final DatasetOptions OPTIONS = new DatasetOptions(512, false, 400);
    private static final Optional<ChatTemplate> CHATML = Optional.of(ChatTemplate.named("chatml", BYTE_LEVEL.config()));

    @TempDir
    Path folder;

    @AfterAll
    static void close() {
        BYTE_LEVEL.close();
        SENTENCE_PIECE.close();
    }

    private Path file(String content) {
        try {
            return Files.writeString(folder.resolve("data.jsonl"), content);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private Dataset read(String content) {
        return read(content, OPTIONS, BYTE_LEVEL);
    }

    private Dataset read(String content, DatasetOptions options, Tokenizer tokenizer) {
        return DatasetReader.read(file(content), options, Optional.of(tokenizer), CHATML);
    }

    /** The learned tokens' texts, joined by bars. */
    private static String learned(Sample sample, Tokenizer tokenizer) {
        StringBuilder text = new StringBuilder();
        for (int t = 0; t < sample.length(); t++) {
            if (sample.labels()[t] != Sample.IGNORED) {
                assertThat(sample.labels()[t]).isEqualTo(sample.inputIds()[t]);
                text.append(tokenizer.decode(new int[] {sample.inputIds()[t]}, false))
                        .append('|');
            }
        }
        return text.toString();
    }

    private static String learnedText(Dataset dataset, Tokenizer tokenizer) {
        int[] labels = dataset.samples().getFirst().labels();
        return tokenizer.decode(
                Arrays.stream(labels).filter(label -> label != Sample.IGNORED).toArray(), true);
    }

    private static String text(Sample sample, Tokenizer tokenizer) {
        return tokenizer.decode(sample.inputIds(), false);
    }

    @Test
    void textIsLearnedWholeAndEnds() {
        Sample byteLevel = read("{\"text\": \"the wheel turns\"}").samples().getFirst();
        assertThat(byteLevel).isEqualTo(Sample.of(345, 281, 273, 0));
        Sample sentencePiece = read("{\"text\": \"the wheel turns\"}", OPTIONS, SENTENCE_PIECE)
                .samples()
                .getFirst();
        assertThat(sentencePiece.inputIds()).containsExactly(1, 314, 325, 2);
        assertThat(sentencePiece.labels()).endsWith(314, 325, 2);
        assertThat(read("{\"text\": \"the wheel turns<|endoftext|>\"}")
                        .samples()
                        .getFirst()
                        .inputIds())
                .as("the end is there already")
                .containsExactly(345, 281, 273, 0);
    }

    @Test
    void promptIsMaskedUnlessTrainedOn() {
        String record = "{\"prompt\": \"the wheel\", \"completion\": \" turns\"}";
        assertThat(read(record).samples().getFirst())
                .isEqualTo(new Sample(new int[] {345, 281, 273, 0}, new int[] {-100, -100, 273, 0}));
        assertThat(read(record, new DatasetOptions(512, true, 400), BYTE_LEVEL)
                        .samples()
                        .getFirst())
                .isEqualTo(Sample.of(345, 281, 273, 0));
        assertThat(read(record, OPTIONS, SENTENCE_PIECE).samples().getFirst())
                .isEqualTo(new Sample(new int[] {1, 314, 325, 2}, new int[] {-100, -100, 325, 2}));
    }

    /** "the whe" alone is other tokens than the beginning of "the wheel": the boundary is that of the whole text. */
    @Test
    void tokenAcrossTheBoundaryIsLearned() {
        Sample sample = read("{\"prompt\": \"the whe\", \"completion\": \"el turns\"}")
                .samples()
                .getFirst();
        assertThat(sample).isEqualTo(new Sample(new int[] {345, 281, 273, 0}, new int[] {-100, 281, 273, 0}));
        assertThat(BYTE_LEVEL.encode("the whe", false).length()).isNotEqualTo(2);
    }

    @Test
    void boundaryIsFoundBehindCharactersOfSeveralUnits() {
        String record = "{\"prompt\": \"🦙 日本 é:\", \"completion\": \" 🦙é\"}";
        assertThat(learnedText(read(record, OPTIONS, BYTE_LEVEL), BYTE_LEVEL)).isEqualTo(" 🦙é");
        // Here ": " is one token, which lies across the boundary.
        assertThat(learnedText(read(record, OPTIONS, SENTENCE_PIECE), SENTENCE_PIECE))
                .isEqualTo(": 🦙é");
    }

    /** Tokens of nothing but spaces have no extent in this tokenizer's offsets. */
    @Test
    void spacesOfACompletionAreLearned() {
        Sample sample = read("{\"prompt\": \"a:\\n\", \"completion\": \"    in\\n\\n\"}")
                .samples()
                .getFirst();
        assertThat(learned(sample, BYTE_LEVEL)).isEqualTo("   | in|\n|\n|<|endoftext|>|");
    }

    @Test
    void everyAnswerOfAConversationIsLearnedWithItsEnd() {
        Sample sample = read("""
            {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"},\
             {"role": "assistant", "content": "ten"}, {"role": "user", "content": "ten"},\
             {"role": "assistant", "content": " two"}, {"role": "user", "content": "no answer"}]}
            """).samples().getFirst();
        assertThat(text(sample, BYTE_LEVEL)).isEqualTo("""
            <|im_start|>system
            s<|im_end|>
            <|im_start|>user
            u<|im_end|>
            <|im_start|>assistant
            ten<|im_end|>
            <|im_start|>user
            ten<|im_end|>
            <|im_start|>assistant
             two<|im_end|><|endoftext|>\
            """);
        assertThat(learned(sample, BYTE_LEVEL)).isEqualTo("t|en|<|im_end|>| t|wo|<|im_end|>|<|endoftext|>|");
    }

    @Test
    void endOfATurnThatIsTheEndOfSequenceIsNotRepeated() throws IOException {
        Path template = Files.writeString(
                folder.resolve("t.jinja"),
                "{% for m in messages %}{{ m.role + ':' + m.content.strip() + '<|endoftext|>\\n' }}{% endfor %}");
        Dataset dataset = DatasetReader.read(
                file("{\"conversations\": [{\"from\": \"human\", \"value\": \"u\"}, {\"from\": \"gpt\", \"value\":"
                        + " \" two \"}]}"),
                OPTIONS,
                Optional.of(BYTE_LEVEL),
                Optional.of(ChatTemplate.named(template.toString(), BYTE_LEVEL.config())));
        Sample sample = dataset.samples().getFirst();
        assertThat(text(sample, BYTE_LEVEL)).isEqualTo("user:u<|endoftext|>\nassistant:two<|endoftext|>\n");
        // The template has no generation prompt: the model has to write the header as well.
        assertThat(learned(sample, BYTE_LEVEL).replace("|", "")).isEqualTo("assistant:two<endoftext>");
    }

    /** As Mistral's: a system prompt goes into a user turn only while it is the last, so that no prefix has a prefix's text. */
    @Test
    void findsAnswersWhereTheTemplateLooksAhead() throws IOException {
        Path template = Tokenizers.folder("../chat-templates/system-in-last-turn.jinja");
        Dataset dataset = DatasetReader.read(
                file("""
                    {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "one"},\
                     {"role": "assistant", "content": "two "}, {"role": "user", "content": "three"},\
                     {"role": "assistant", "content": "four"}]}
                    """),
                OPTIONS,
                Optional.of(SENTENCE_PIECE),
                Optional.of(ChatTemplate.named(template.toString(), SENTENCE_PIECE.config())));
        Sample sample = dataset.samples().getFirst();
        assertThat(text(sample, SENTENCE_PIECE))
                .isEqualTo("<s> [INST] one[/INST] two</s> [INST] three[/INST] four</s>");
        assertThat(learned(sample, SENTENCE_PIECE).replace("|", "")).isEqualTo("two</s>four</s>");
    }

    @Test
    void alpacaTakesStanfordsLayouts() {
        List<Sample> samples = read("""
            [{"instruction": "Add.", "input": "1 2", "output": "3"},
             {"instruction": "Say one.", "input": "", "output": "one", "text": "rendered"},
             {"instruction": "And?", "output": "two", "system": "Be brief.", "history": [["Go.", "ten"]]}]
            """).samples();
        assertThat(text(samples.get(0), BYTE_LEVEL)).isEqualTo("""
            Below is an instruction that describes a task, paired with an input that provides further context. Write a \
            response that appropriately completes the request.

            ### Instruction:
            Add.

            ### Input:
            1 2

            ### Response:3<|endoftext|>\
            """);
        assertThat(learned(samples.get(0), BYTE_LEVEL)).isEqualTo("3|<|endoftext|>|");
        assertThat(text(samples.get(1), BYTE_LEVEL)).isEqualTo("""
            Below is an instruction that describes a task. Write a response that appropriately completes the request.

            ### Instruction:
            Say one.

            ### Response:one<|endoftext|>\
            """);
        assertThat(text(samples.get(2), BYTE_LEVEL)).isEqualTo("""
            Be brief.

            ### Instruction:
            Go.

            ### Response:ten

            ### Instruction:
            And?

            ### Response:two<|endoftext|>\
            """);
        assertThat(learned(samples.get(2), BYTE_LEVEL).replace("|", "")).isEqualTo("tentwo<endoftext>");
    }

    @Test
    void tokensNeedNoTokenizer() {
        Dataset dataset = DatasetReader.read(
                file("{\"input_ids\": [5, 6, 7], \"labels\": [-100, -100, 7]}\n\n{\"input_ids\": [1, 2]}\n"),
                OPTIONS,
                Optional.empty(),
                Optional.empty());
        assertThat(dataset.samples())
                .containsExactly(new Sample(new int[] {5, 6, 7}, new int[] {-100, -100, 7}), Sample.of(1, 2));
        assertThat(dataset.report().summary()).isEqualTo("2 samples, 5 tokens (2 learned), longest 3");
    }

    @Test
    void truncationComesLastAndIsReported() {
        Dataset dataset = read("""
            {"prompt": "the wheel", "completion": " turns"}
            {"prompt": "the wheel turns the wheel", "completion": " turns"}
            {"prompt": "the wheel", "completion": ""}
            {"prompt": "the", "completion": " turns turns turns"}
            {"messages": [{"role": "user", "content": "u"}]}
            {"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": ""}]}
            """, new DatasetOptions(4, true, 400), BYTE_LEVEL);
        assertThat(dataset.samples()).containsExactly(Sample.of(345, 281, 273, 0), Sample.of(345, 273, 273, 273));
        DatasetReport report = dataset.report();
        assertThat(report.truncated()).isEqualTo(1);
        assertThat(report.dropped()).containsEntry(DropReason.EMPTY, 3).containsEntry(DropReason.CUT_OFF, 1);
        assertThat(report.summary())
                .isEqualTo("2 samples, 8 tokens (6 learned), longest 4; 1 truncated; dropped 3 with nothing to learn, 1"
                        + " with all that is learned beyond the maximum length");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '@',
            value = {
                "{\"text\": \"a\"}\\n{\"text\": @ , line 2: not valid JSON at column",
                "{\"text\": \"a\"}\\n3 @ , line 2: 3 found, expected a JSON object {...}",
                "{\"question\": \"a\", \"answer\": \"b\"} @ , line 1: a record with the keys [question, answer]; known"
                        + " are records with input_ids; messages; conversations; instruction and output; prompt and"
                        + " completion; text",
                "{\"text\": 3} @ , line 1: text: 3 found, expected a string",
                "{\"text\": null} @ , line 1: no field text; expected a string",
                "{\"prompt\": \"a\", \"completion\": [\"b\"]} @ , line 1: completion: a list found, expected a string",
                "{\"messages\": \"a\"} @ , line 1: messages: the string \"a\" found, expected a list",
                "{\"messages\": [3]} @ , line 1: messages[0]: 3 found, expected a JSON object {...}",
                "{\"messages\": [{\"role\": \"user\"}]} @ , line 1: messages[0]: no field content; expected a string",
                "{\"conversations\": [{\"from\": \"tool\", \"value\": \"\"}]} @ , line 1: conversations[0]: from: the"
                        + " string \"tool\" found, expected human, gpt or system",
                "{\"instruction\": \"a\", \"output\": \"b\", \"history\": [[\"c\"]]} @ , line 1: history: expected a"
                        + " list of",
                "{\"input_ids\": [1, 400]} @ , line 1: input_ids[1]: 400 is no token of the model, whose vocabulary"
                        + " has 400",
                "{\"input_ids\": [1, -1]} @ , line 1: input_ids[1]: -1 is no token of the model",
                "{\"input_ids\": [1, 2.5]} @ , line 1: input_ids[1]: expected an integer",
                "{\"input_ids\": \"1 2\"} @ , line 1: input_ids: the string \"1 2\" found, expected a list of integers",
                "{\"input_ids\": [1, 2], \"labels\": [1]} @ , line 1: labels: 1 labels for 2 input_ids; expected one"
                        + " for each",
                "{\"input_ids\": [1, 2], \"labels\": [1, -2]} @ , line 1: labels[1]: -2 is no token of the model",
                "{\"input_ids\": [1, 2], \"labels\": [1, -100]} @ : no token to learn in any record (1 with nothing to"
                        + " learn)",
                "\\n\\n @ : no records; expected JSON Lines or a JSON array of records",
                "[] @ : no records; expected JSON Lines or a JSON array of records",
                "[{\"text\": \"a\"}] x @ : not valid JSON at line 1, column 17",
                "[{\"text\": \"a\"}] {} @ : line 1: something follows the array's ]",
                "[{\"text\": \"a\"},\\n3] @ , record 2 (line 2): 3 found, expected a JSON object {...}",
                "[{\"text\": \"a\"} @ : not valid JSON at line 1",
            })
    void refusesWhatIsWrongAndSaysWhere(String content, String message) {
        assertThatThrownBy(() -> read(content.replace("\\n", "\n")))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith(folder.resolve("data.jsonl") + message);
    }

    @Test
    void refusesBytesThatAreNotUtf8() throws IOException {
        Path file = folder.resolve("latin.jsonl");
        Files.write(file, "{\"text\": \"a\"}\n{\"text\": \"é\"}".getBytes(StandardCharsets.ISO_8859_1));
        assertThatThrownBy(() -> DatasetReader.read(file, OPTIONS, Optional.of(BYTE_LEVEL), CHATML))
                .isInstanceOf(RankineException.class)
                .hasMessage(file + ": line 2: not UTF-8 at byte 24 of the file (0xE9); save the file as UTF-8");
    }

    @Test
    void readsPastAByteOrderMark() {
        assertThat(read("\uFEFF{\"text\": \"ten\"}").samples()).hasSize(1);
        assertThat(read("\uFEFF\n [{\"text\": \"ten\"}, {\"text\": \"two\"}]").samples())
                .hasSize(2);
    }

    @Test
    void refusesAbsurdNesting() {
        String nested = "{\"text\": " + "[".repeat(200_000);
        assertThatThrownBy(() -> read(nested))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("nesting");
        assertThatThrownBy(() -> read("[" + nested))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("nesting");
    }

    @Test
    void saysWhatIsMissing() {
        assertThatThrownBy(() -> DatasetReader.read(folder.resolve("none"), OPTIONS, Optional.empty(), CHATML))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("none: no such file; expected a file of examples");
        assertThatThrownBy(() -> DatasetReader.read(folder, OPTIONS, Optional.empty(), CHATML))
                .hasMessageEndingWith(": not a file; expected JSON Lines or a JSON array of records");
        assertThatThrownBy(() ->
                        DatasetReader.read(file("{\"text\": \"a\"}"), OPTIONS, Optional.empty(), Optional.empty()))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("text needs a tokenizer");
        assertThatThrownBy(() -> DatasetReader.read(
                        file("{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\"}]}"),
                        OPTIONS,
                        Optional.of(BYTE_LEVEL),
                        Optional.empty()))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("give one with --chat-template FILE or --chat-template chatml");
        assertThatThrownBy(() -> read("{\"text\": \"the wheel\"}", new DatasetOptions(512, false, 300), BYTE_LEVEL))
                .hasMessageContaining("the tokenizer gives token 345, the model's vocabulary has 300");
        assertThatThrownBy(() -> new DatasetOptions(1, false, 300)).isInstanceOf(RankineException.class);
    }
}
