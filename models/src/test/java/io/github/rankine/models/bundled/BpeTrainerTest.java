package io.github.rankine.models.bundled;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class BpeTrainerTest {
    @Test
    void mergesTheMostFrequentPairFirst() {
        BpeTrainer trainer = new BpeTrainer();
        trainer.add("xy xy xy hug hug pug cd cd");
        BpeTrainer.Vocabulary vocabulary = trainer.train(1 + 256 + 4, List.of("<end>"));
        // pairs: "ug" 3, "xy" 3, " x" 2, "hu" 2, " h" 2, " c" 2, "cd" 2: of the equal ones the first by characters
        assertThat(vocabulary.merges())
                .containsExactly(
                        new BpeTrainer.Merge("u", "g"),
                        new BpeTrainer.Merge("x", "y"),
                        new BpeTrainer.Merge("c", "d"),
                        new BpeTrainer.Merge("h", "ug"));
        assertThat(vocabulary.tokens()).hasSize(261).startsWith("<end>").endsWith("ug", "xy", "cd", "hug");
    }

    @Test
    void stopsWhenNoPairIsLeftThatOccursTwice() {
        BpeTrainer trainer = new BpeTrainer();
        trainer.add("abab cd");
        BpeTrainer.Vocabulary vocabulary = trainer.train(1000, List.of());
        assertThat(vocabulary.merges()).containsExactly(new BpeTrainer.Merge("a", "b"));
    }

    @Test
    void joinsPairsFromLeftToRight() {
        BpeTrainer.Merge merge = new BpeTrainer.Merge("a", "a");
        assertThat(BpeTrainer.apply(merge, List.of("a", "a", "a", "b", "a", "a")))
                .containsExactly("aa", "a", "b", "aa");
    }

    @Test
    void theAlphabetIsThatOfGpt2() {
        List<String> alphabet = ByteLevel.alphabet();
        assertThat(alphabet).hasSize(256).doesNotHaveDuplicates();
        assertThat(alphabet.get(' ')).isEqualTo("\u0120");
        assertThat(alphabet.get('\n')).isEqualTo("\u010a");
        assertThat(alphabet.get('A')).isEqualTo("A");
        assertThat(alphabet.get(0xAD)).isEqualTo("\u0143");
    }

    @Test
    void wordsKeepTheSpaceBeforeThem() {
        assertThat(ByteLevel.words("It's 12,  ok"))
                .extracting(word -> String.join("", word))
                .containsExactly("It", "'s", "\u012012", ",", "\u0120", "\u0120ok");
    }
}
