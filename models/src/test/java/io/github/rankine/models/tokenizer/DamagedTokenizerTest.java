package io.github.rankine.models.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whatever is wrong with a tokenizer.json, it is used or refused in one line; the native library aborts the JVM if not. */
class DamagedTokenizerTest {
    private static final int ROUNDS = 1250;

    @TempDir
    Path folder;

    @Test
    void damagedFilesAreUsedOrRefused() throws IOException {
        int used = 0;
        int refused = 0;
        for (String name : List.of("bytelevel", "sentencepiece")) {
            byte[] original = Files.readAllBytes(Tokenizers.folder(name).resolve("tokenizer.json"));
            Random random = new Random(11);
            for (int round = 0; round < ROUNDS; round++) {
                Path file = Files.write(folder.resolve("tokenizer.json"), Mutations.of(original, random));
                try (Tokenizer tokenizer = Tokenizer.open(folder, List.of())) {
                    for (String text : List.of("the wheel turns", "café 日本 🦙 x", "", "<|im_start|>a</s>  \n")) {
                        int[] ids = tokenizer.encode(text, true).ids();
                        tokenizer.decode(ids, false);
                        tokenizer.decode(ids, true);
                    }
                    used++;
                } catch (RankineException e) {
                    assertThat(e.getMessage()).startsWith(file.toString()).doesNotContain("\n");
                    refused++;
                }
            }
        }
        assertThat(used).isGreaterThan(100);
        assertThat(refused).isGreaterThan(1000);
    }

    /** Each of these makes version 0.21 of the native library panic. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '@',
            quoteCharacter = '`',
            value = {
                "\"continuing_subword_prefix\":null @ \"continuing_subword_prefix\":\"ab\" @"
                        + " model.continuing_subword_prefix",
                "{\"id\":\"<s>\",\"type_id\":0} @ {\"id\":\"x\",\"type_id\":0} @ post_processor.special_tokens",
                "{\"id\":\"A\",\"type_id\":0} @ {\"id\":\"B\",\"type_id\":0} @ post_processor.single",
                "\"stop\":0 @ \"stop\":1 @ decoder.decoders[3].stop",
                "\"start\":1 @ \"start\":1e999 @ decoder",
                "\"content\":\" \",\"start\" @ \"content\":\"\\ud800\",\"start\" @ decoder",
                "{\"type\":\"Prepend\",\"prepend\":\"▁\"} @ {\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AA\"}"
                        + " @ normalizer.normalizers[0]: type 'Precompiled' is not supported",
            })
    void refusesWhatThePanicsAreKnownFor(String from, String to, String message) throws IOException {
        String json = Files.readString(Tokenizers.folder("sentencepiece").resolve("tokenizer.json"));
        assertThat(json).contains(from);
        int at = json.indexOf(from);
        Path file = Files.writeString(
                folder.resolve("tokenizer.json"), json.substring(0, at) + to + json.substring(at + from.length()));
        assertThatThrownBy(() -> Tokenizer.open(folder, List.of()))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith(file + ": " + message);
    }
}
