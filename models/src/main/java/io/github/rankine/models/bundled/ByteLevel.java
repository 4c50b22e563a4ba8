package io.github.rankine.models.bundled;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * GPT-2's byte-level alphabet and pre-tokenisation (openai/gpt-2, encoder.py): every byte is written as one printable
 * character, and text is cut into words, numbers, punctuation and white space before any pairs are merged.
 */
final class ByteLevel {
    private static final Pattern WORD = Pattern.compile(
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
            Pattern.UNICODE_CHARACTER_CLASS);
    private static final List<String> ALPHABET = alphabet();

    private ByteLevel() {}

    /**
     * The character that stands for each byte 0 to 255: itself where Latin-1 prints it, the others in order from
     * U+0100.
     */
    static List<String> alphabet() {
        List<String> characters = new ArrayList<>(256);
        int next = 256;
        for (int b = 0; b < 256; b++) {
            boolean prints = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
            characters.add(Character.toString(prints ? b : next++));
        }
        return List.copyOf(characters);
    }

    /** Cuts {@code text} into pre-tokens, each a list of alphabet characters; together they spell all of its UTF-8. */
    static List<List<String>> words(String text) {
        List<List<String>> words = new ArrayList<>();
        Matcher matcher = WORD.matcher(text);
        while (matcher.find()) {
            List<String> word = new ArrayList<>();
            for (byte b : matcher.group().getBytes(StandardCharsets.UTF_8)) {
                word.add(ALPHABET.get(Byte.toUnsignedInt(b)));
            }
            words.add(word);
        }
        return words;
    }
}
