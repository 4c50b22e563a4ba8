package io.github.rankine.models.bundled;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class PretrainingTextTest {
    private static List<String> documents(long seed, int count) {
        PretrainingText text = new PretrainingText(seed);
        return Stream.generate(text::next).limit(count).toList();
    }

    @Test
    void theSeedDecidesTheText() {
        assertThat(documents(7, 200)).isEqualTo(documents(7, 200)).isNotEqualTo(documents(8, 200));
    }

    @Test
    void documentsAreCleanAndHardlyRepeat() {
        List<String> documents = documents(1, 20_000);
        Set<String> distinct = new HashSet<>(documents);
        assertThat(distinct).hasSizeGreaterThan(17_000);
        assertThat(distinct).allSatisfy(document -> {
            assertThat(document).matches("[\\n -~]+").doesNotContain("  ").isEqualTo(document.strip());
            assertThat(document.replaceAll("<\\|im_(start|end)\\|>", "")).doesNotContainPattern("[<>$^]");
            assertThat(document).doesNotContainPattern("\\b[Aa] [aeiou]");
        });
    }

    @Test
    void aDrillSaysVariedWordsTwice() {
        PretrainingText text = new PretrainingText(1);
        Set<String> words = new HashSet<>();
        for (int i = 0; i < 50; i++) {
            String drill = text.nextDrill();
            List<String> said = List.of(drill.strip().split(" "));
            assertThat(said).hasSize(64);
            assertThat(said.subList(0, 32)).isEqualTo(said.subList(32, 64));
            words.addAll(said);
        }
        assertThat(words).hasSizeGreaterThan(140);
    }

    @Test
    void noDocumentShowsADemoTask() {
        assertThat(documents(1, 20_000))
                .noneMatch(document -> document.contains("Record:") || document.contains("Robot:"));
    }
}
