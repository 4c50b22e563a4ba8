package io.github.rankine.models.data;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.train.Sample;
import io.github.rankine.models.chat.ChatTemplate;
import io.github.rankine.models.tokenizer.Mutations;
import io.github.rankine.models.tokenizer.Tokenizer;
import io.github.rankine.models.tokenizer.Tokenizers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever is wrong with a data file, it is read or refused in one line. */
class DamagedDataTest {
    private static final String LINES = """
        {"text": "the wheel é 🦙"}
        {"prompt": "the", "completion": " wheel"}
        {"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]}
        {"conversations": [{"from": "human", "value": "u"}, {"from": "gpt", "value": "v"}]}
        {"instruction": "i", "input": "", "output": "o", "system": "s", "history": [["a", "b"]]}
        {"input_ids": [1, 2, 3], "labels": [-100, 2, 3]}
        """;

    private static final int ROUNDS = 1250;

    @TempDir
    Path folder;

    @Test
    void damagedFilesAreReadOrRefused() throws IOException {
        String array = "[" + LINES.strip().replace("\n", ",\n") + "]";
        int read = 0;
        int refused = 0;
        try (Tokenizer tokenizer = Tokenizers.byteLevel()) {
            Optional<ChatTemplate> template = Optional.of(ChatTemplate.named("chatml", tokenizer.config()));
            for (String original : new String[] {LINES, array}) {
                Random random = new Random(7);
                for (int round = 0; round < ROUNDS; round++) {
                    byte[] damaged = Mutations.of(original.getBytes(StandardCharsets.UTF_8), random);
                    Path file = Files.write(folder.resolve("damaged"), damaged);
                    try {
                        Dataset dataset = DatasetReader.read(
                                file, new DatasetOptions(16, false, 360), Optional.of(tokenizer), template);
                        assertThat(dataset.samples())
                                .isNotEmpty()
                                .allMatch(sample -> sample.length() <= 16 && sample.learnedTokens() > 0)
                                .allMatch(DamagedDataTest::isInVocabulary);
                        read++;
                    } catch (RankineException e) {
                        assertThat(e.getMessage()).startsWith(file.toString()).doesNotContain("\n");
                        refused++;
                    }
                }
            }
        }
        assertThat(read).isGreaterThan(100);
        assertThat(refused).isGreaterThan(1000);
    }

    private static boolean isInVocabulary(Sample sample) {
        for (int t = 0; t < sample.length(); t++) {
            int id = sample.inputIds()[t];
            int label = sample.labels()[t];
            if (id < 0 || id >= 360 || label != Sample.IGNORED && (label < 0 || label >= 360)) {
                return false;
            }
        }
        return true;
    }
}
