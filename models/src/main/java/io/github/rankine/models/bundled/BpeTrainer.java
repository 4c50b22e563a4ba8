package io.github.rankine.models.bundled;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Learns a byte-level BPE vocabulary (Sennrich et al. 2016, over bytes as GPT-2 does): beginning with the 256 bytes,
 * the pair of neighbours that is most frequent in the text becomes a token of its own, again and again.
 */
final class BpeTrainer {
    /** Two tokens that are joined into one. */
    record Merge(String left, String right) {
        String joined() {
            return left + right;
        }
    }

    /** Token texts in the order of their ids (special tokens, bytes, merges), and the merges in their order. */
    record Vocabulary(List<String> specialTokens, List<String> tokens, List<Merge> merges) {}

    private final Map<List<String>, Long> counts = new HashMap<>();

    /** Adds a text to those that are learned from; a special token in it is to be left out by the caller. */
    void add(String text) {
        for (List<String> word : ByteLevel.words(text)) {
            counts.merge(word, 1L, Long::sum);
        }
    }

    /**
     * Learns merges until there are {@code size} tokens, special tokens included, or no pair is left that occurs
     * twice. Among equally frequent pairs the first in the order of characters wins, so the text alone decides.
     */
    Vocabulary train(int size, List<String> specialTokens) {
        Set<String> tokens = new LinkedHashSet<>(specialTokens);
        tokens.addAll(ByteLevel.alphabet());
        List<Merge> merges = new ArrayList<>();
        Map<List<String>, Long> words = new HashMap<>(counts);
        while (tokens.size() < size) {
            Map<Merge, Long> pairs = new HashMap<>();
            words.forEach((word, count) -> {
                for (int i = 1; i < word.size(); i++) {
                    pairs.merge(new Merge(word.get(i - 1), word.get(i)), count, Long::sum);
                }
            });
            Map.Entry<Merge, Long> best = pairs.entrySet().stream()
                    .max(Map.Entry.<Merge, Long>comparingByValue()
                            .thenComparing(
                                    Map.Entry::getKey,
                                    Comparator.comparing(Merge::left)
                                            .thenComparing(Merge::right)
                                            .reversed()))
                    .orElse(null);
            if (best == null || best.getValue() < 2) {
                break;
            }
            Merge merge = best.getKey();
            tokens.add(merge.joined());
            merges.add(merge);
            Map<List<String>, Long> merged = new HashMap<>();
            words.forEach((word, count) -> merged.merge(apply(merge, word), count, Long::sum));
            words = merged;
        }
        return new Vocabulary(specialTokens, List.copyOf(tokens), List.copyOf(merges));
    }

    /** Joins every occurrence of the pair in {@code word}, from left to right. */
    static List<String> apply(Merge merge, List<String> word) {
        List<String> joined = new ArrayList<>(word.size());
        for (int i = 0; i < word.size(); i++) {
            boolean pair = i + 1 < word.size()
                    && word.get(i).equals(merge.left)
                    && word.get(i + 1).equals(merge.right);
            joined.add(pair ? merge.joined() : word.get(i));
            i += pair ? 1 : 0;
        }
        return joined;
    }
}
