package io.github.rankine.models.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/** Damages JSON files: bytes, length, and, as most such damage only makes it no JSON, values and names too. */
public final class Mutations {
    private static final Pattern VALUE = Pattern.compile(
            "(?<=[:\\[,])\\s*(true|false|null|-?\\d+(\\.\\d+)?|\"(?:[^\"\\\\]|\\\\.)*\"|\\[\\]|\\{\\})");

    private static final List<String> VALUES = List.of(
            "null",
            "-1",
            "0",
            "7",
            "1e9",
            "1e999",
            "99999999999",
            "0.5",
            "\"\"",
            "\"a\"",
            "\"\\ud800\"",
            "[]",
            "{}",
            "true",
            "[[[]]]");

    private Mutations() {}

    /** The file with one damage. */
    public static byte[] of(byte[] original, Random random) {
        return switch (random.nextInt(5)) {
            case 0 -> {
                byte[] bytes = original.clone();
                for (int i = random.nextInt(3); i >= 0; i--) {
                    bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
                }
                yield bytes;
            }
            case 1 -> Arrays.copyOf(original, random.nextInt(original.length));
            case 2 -> withoutRange(original, random);
            default -> withOtherValue(new String(original, StandardCharsets.UTF_8), random);
        };
    }

    private static byte[] withoutRange(byte[] original, Random random) {
        int start = random.nextInt(original.length);
        int end = Math.min(original.length, start + random.nextInt(40));
        byte[] bytes = new byte[original.length - (end - start)];
        System.arraycopy(original, 0, bytes, 0, start);
        System.arraycopy(original, end, bytes, start, original.length - end);
        return bytes;
    }

    private static byte[] withOtherValue(String json, Random random) {
        List<MatchResult> values = new ArrayList<>(VALUE.matcher(json).results().toList());
        // Most of a vocabulary is alike; what is peculiar stands at both ends.
        int margin = Math.min(values.size(), 120);
        int pick = random.nextInt(margin);
        MatchResult value = values.get(random.nextBoolean() ? pick : values.size() - 1 - pick);
        String other = VALUES.get(random.nextInt(VALUES.size()));
        return (json.substring(0, value.start(1)) + other + json.substring(value.end(1)))
                .getBytes(StandardCharsets.UTF_8);
    }
}
