package io.github.rankine.models.bundled;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.models.json.Json;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class BundledFilesTest {
    private static final BpeTrainer.Vocabulary VOCABULARY = BundledFiles.learnTokenizer(1);
    private static final Map<String, String> FILES = BundledFiles.render(1);
    private static final HuggingFaceTokenizer TOKENIZER = open(FILES.get("tokenizer.json"));

    private static HuggingFaceTokenizer open(String tokenizerJson) {
        try {
            return HuggingFaceTokenizer.newInstance(
                    new ByteArrayInputStream(tokenizerJson.getBytes(StandardCharsets.UTF_8)),
                    Map.of("truncation", "false", "padding", "false", "addSpecialTokens", "false"));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** What the learned merges make of {@code text}: each merge in its order, over all of every word. */
    private static long[] encode(String text) {
        List<Long> ids = new ArrayList<>();
        for (List<String> word : ByteLevel.words(text)) {
            List<String> tokens = word;
            for (BpeTrainer.Merge merge : VOCABULARY.merges()) {
                tokens = BpeTrainer.apply(merge, tokens);
            }
            tokens.forEach(token -> ids.add((long) VOCABULARY.tokens().indexOf(token)));
        }
        return ids.stream().mapToLong(Long::longValue).toArray();
    }

    @Test
    void djlEncodesGeneratedTextAsTheMergesSay() {
        PretrainingText text = new PretrainingText(99);
        for (int i = 0; i < 100; i++) {
            String document = text.next().replaceAll("<\\|im_(start|end)\\|>", "");
            assertThat(TOKENIZER.encode(document).getIds()).isEqualTo(encode(document));
        }
    }

    @Property(tries = 300)
    void djlEncodesAnyTextAsTheMergesSayAndDecodesItWhole(@ForAll("unicode") String text) {
        long[] ids = TOKENIZER.encode(text).getIds();
        assertThat(ids).isEqualTo(encode(text));
        assertThat(TOKENIZER.decode(ids, false)).isEqualTo(text);
    }

    /** Text of any code points that UTF-8 can carry, and of the kinds that pre-tokenisation tells apart. */
    @Provide
    Arbitrary<String> unicode() {
        Arbitrary<String> anything = Arbitraries.integers()
                .between(1, Character.MAX_CODE_POINT)
                .filter(c -> Character.isDefined(c) && Character.getType(c) != Character.SURROGATE)
                .map(Character::toString);
        Arbitrary<String> usual = Arbitraries.of(
                " ",
                "  ",
                "\n",
                "\t",
                "\u00a0",
                "\u3000",
                "'s",
                "'ll",
                "The lamp",
                "12",
                "!?",
                "\u00e9",
                "\ud83d\ude42");
        return Arbitraries.oneOf(anything, usual).list().ofMaxSize(20).map(parts -> String.join("", parts));
    }

    @Test
    void specialTokensAreSingleAndWordsOfTheLexiconMostlyToo() {
        assertThat(TOKENIZER
                        .encode("<|im_start|>user\nHello!<|im_end|><|endoftext|>")
                        .getIds())
                .startsWith(1)
                .endsWith(2, 0);
        List<String> things = new Grammar(Lexicon.WORDS).words("thing");
        assertThat(things)
                .filteredOn(thing -> TOKENIZER.encode(" " + thing).getIds().length == 1)
                .hasSizeGreaterThan(things.size() * 9 / 10);
    }

    @Test
    void theTokenizerHasTheVocabularyOfTheModel() {
        JsonNode config = Json.parse(FILES.get("config.json"), "config.json");
        JsonNode vocabulary =
                Json.parse(FILES.get("tokenizer.json"), "tokenizer.json").at("/model/vocab");
        assertThat(config.get("vocab_size").intValue()).isEqualTo(1024).isEqualTo(vocabulary.size());
        assertThat(VOCABULARY.tokens()).doesNotHaveDuplicates();
        assertThat(vocabulary.get("<|endoftext|>").intValue())
                .isEqualTo(config.get("eos_token_id").intValue());
    }

    @Test
    void learningAgainGivesTheSameFiles() {
        assertThat(BundledFiles.render(1)).isEqualTo(FILES);
    }
}
