package io.github.rankine.models.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TokenizerTest {
    private static final String MIXED = "café 日本 🦙 x";

    @TempDir
    Path folder;

    /** The ids are those of Hugging Face's Python package. */
    @Test
    void encodesAsTheOriginalDoes() {
        try (Tokenizer byteLevel = Tokenizers.byteLevel();
                Tokenizer sentencePiece = Tokenizers.sentencePiece()) {
            assertThat(byteLevel.encode(MIXED, true).ids()).containsExactly(323, 352, 315, 312, 223, 90);
            assertThat(byteLevel
                            .encode("<|im_start|>user\nhi<|im_end|>\n", false)
                            .ids())
                    .containsExactly(1, 87, 85, 263, 201, 74, 75, 2, 201);
            assertThat(sentencePiece.encode("the wheel turns", true).ids()).containsExactly(1, 314, 325);
            assertThat(sentencePiece.encode("the wheel turns", false).ids()).containsExactly(314, 325);
            assertThat(sentencePiece.decode(new int[] {1, 314, 325}, true)).isEqualTo("the wheel turns");
            assertThat(sentencePiece.decode(new int[] {1, 314, 325}, false)).isEqualTo("<s> the wheel turns");
        }
    }

    @Test
    void offsetsCountTheCharsOfTheString() {
        try (Tokenizer byteLevel = Tokenizers.byteLevel();
                Tokenizer sentencePiece = Tokenizers.sentencePiece()) {
            assertThat(pieces(byteLevel, MIXED)).containsExactly("caf", "é", "日本", "🦙", " ", "x");
            assertThat(pieces(sentencePiece, MIXED))
                    .startsWith("", "c", "c", "a", "f", "é", "é", " ", "日", "日", "日", "本")
                    .endsWith(" ", "🦙", "🦙", "🦙", "🦙", " ", "x");
            assertThat(pieces(byteLevel, "  \n\n    in"))
                    .as("tokens of spaces alone")
                    .containsExactly("  ", "\n", "\n", "   ", "in");
        }
    }

    private static List<String> pieces(Tokenizer tokenizer, String text) {
        Encoding encoding = tokenizer.encode(text, true);
        return IntStream.range(0, encoding.length())
                .mapToObj(t -> encoding.starts()[t] == Encoding.NOWHERE
                        ? ""
                        : text.substring(encoding.starts()[t], encoding.ends()[t]))
                .toList();
    }

    @Test
    void longTextsAreNotCutOff() {
        try (Tokenizer tokenizer = Tokenizers.byteLevel()) {
            assertThat(tokenizer.encode("x ".repeat(3000), true).length()).isEqualTo(6000);
        }
    }

    @Test
    void halfASurrogatePairKeepsThePlacesInTheText() {
        try (Tokenizer tokenizer = Tokenizers.byteLevel()) {
            Encoding encoding = tokenizer.encode("a\uD83Eb", false);
            assertThat(encoding.ends()).endsWith(2, 3);
            assertThat(tokenizer.decode(encoding.ids(), false)).isEqualTo("a\uFFFDb");
            assertThat(tokenizer.encode("", true).length()).isZero();
            assertThat(tokenizer.decode(tokenizer.encode("a\0b", true).ids(), false))
                    .isEqualTo("a\0b");
        }
    }

    @Test
    void streamsWholeCharacters() {
        try (Tokenizer byteLevel = Tokenizers.byteLevel();
                Tokenizer sentencePiece = Tokenizers.sentencePiece()) {
            for (Tokenizer tokenizer : List.of(byteLevel, sentencePiece)) {
                String text = " naïve Ω 本語 👩‍🚀 end";
                int[] prompt = tokenizer.encode("the wheel", true).ids();
                int[] all = tokenizer.encode("the wheel" + text, true).ids();
                TokenStreamDecoder stream = tokenizer.streamAfter(prompt);
                List<String> given = new ArrayList<>();
                for (int t = prompt.length; t < all.length; t++) {
                    given.add(stream.next(all[t]));
                }
                given.add(stream.finish());
                assertThat(String.join("", given)).isEqualTo(text);
                assertThat(given).noneMatch(piece -> piece.contains("\uFFFD"));
                assertThat(given).filteredOn(piece -> !piece.isEmpty()).hasSizeGreaterThan(8);
            }
        }
    }

    @Test
    void streamGivesUpOnWhatNeverBecomesACharacter() {
        try (Tokenizer tokenizer = Tokenizers.sentencePiece()) {
            int continuation = tokenizer.tokenToId("<0x97>").orElseThrow();
            TokenStreamDecoder stream = tokenizer.streamAfter(new int[0]);
            String text = "";
            for (int i = 0; i < 100; i++) {
                text += stream.next(continuation);
            }
            assertThat(text).isNotEmpty().matches("\uFFFD+");
            assertThat(text + stream.finish()).hasSize(100);
        }
    }

    @Test
    void knowsItsSpecialTokens() {
        try (Tokenizer byteLevel = Tokenizers.byteLevel();
                Tokenizer both = Tokenizer.open(Tokenizers.folder("sentencepiece"), List.of(7, 2))) {
            assertThat(byteLevel.vocabSize()).isEqualTo(360);
            assertThat(byteLevel.tokenToId("<|im_end|>")).hasValue(2);
            assertThat(byteLevel.tokenToId("no such token")).isEmpty();
            assertThat(byteLevel.eosTokenId()).hasValue(0);
            assertThat(both.eosTokenId()).hasValue(2);
            assertThat(both.eosTokenIds()).containsExactlyInAnyOrder(2, 7);
            assertThat(both.config().specialToken("bos_token")).hasValue("<s>");
            assertThat(both.config().chatTemplate()).isEmpty();
        }
    }

    @Test
    void settingsBesideDecideWhatSurroundsATextWhereTheFileDoesNot() throws IOException {
        String json = Files.readString(Tokenizers.folder("bytelevel").resolve("tokenizer.json"));
        int begin = json.indexOf("\"post_processor\":") + "\"post_processor\":".length();
        Files.writeString(
                folder.resolve("tokenizer.json"),
                json.substring(0, begin) + "null" + json.substring(json.indexOf('}', begin) + 1));
        Files.writeString(
                folder.resolve("tokenizer_config.json"), "{\"add_bos_token\": true, \"bos_token\": \"<|im_start|>\"}");
        Files.writeString(folder.resolve("special_tokens_map.json"), "{\"eos_token\": {\"content\": \"<|im_end|>\"}}");
        try (Tokenizer tokenizer = Tokenizer.open(folder, List.of())) {
            assertThat(tokenizer.encode("x", true).ids()).containsExactly(1, 90);
            assertThat(tokenizer.encode("x", true).starts()).containsExactly(Encoding.NOWHERE, 0);
            assertThat(tokenizer.encode("x", false).ids()).containsExactly(90);
            assertThat(tokenizer.eosTokenId()).hasValue(2);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "                  | is empty; expected a JSON object",
                "{                 | not valid JSON",
                "{}                | model.vocab: no tokens",
                "[]                | the file: START_ARRAY found, expected an object",
                "{\"model\": 3}    | model: VALUE_NUMBER_INT found, expected an object",
                "{\"model\": {\"vocab\": {\"a\": -1}}} | model.vocab.a: -1 found, expected an id from 0",
                "{\"model\": {\"vocab\": {\"a\": 99999999999999999999}}} | expected an id from 0",
                "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}}} | not a tokenizer (",
                "{\"model\": {\"type\": \"Magic\", \"vocab\": {\"a\": 0}}} | not a tokenizer (",
                "{\"added_tokens\": [{\"id\": 1}]} | added_tokens[0]: no content or no id"
            })
    void refusesMalformedFiles(String json, String message) throws IOException {
        Path file = Files.writeString(folder.resolve("tokenizer.json"), json == null ? "" : json);
        assertThatThrownBy(() -> Tokenizer.open(folder, List.of()))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith(file.toString())
                .hasMessageContaining(message);
    }

    @Test
    void saysWhatIsMissing() throws IOException {
        assertThat(Tokenizer.isIn(folder)).isFalse();
        assertThatThrownBy(() -> Tokenizer.open(folder.resolve("none"), List.of()))
                .isInstanceOf(RankineException.class)
                .hasMessageEndingWith("none: no such folder");
        assertThatThrownBy(() -> Tokenizer.open(folder, List.of()))
                .hasMessageEndingWith("tokenizer.json: missing; copy it from where the model is from");
        Files.writeString(folder.resolve("tokenizer.model"), "");
        assertThatThrownBy(() -> Tokenizer.open(folder, List.of()))
                .hasMessageContaining("there is only tokenizer.model. Make it once with Transformers");
    }
}
