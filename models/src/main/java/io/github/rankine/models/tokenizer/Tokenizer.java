package io.github.rankine.models.tokenizer;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.CharSpan;
import io.github.rankine.engine.RankineException;
import io.github.rankine.models.json.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/**
 * The tokenizer of a model folder: its tokenizer.json, run by Hugging Face's own library, never truncating or padding,
 * and the settings beside it. Not to be used by several threads at a time.
 */
public final class Tokenizer implements AutoCloseable {
    private final HuggingFaceTokenizer tokenizer;
    private final TokenizerFile vocabulary;
    private final TokenizerConfig config;
    private final String source;
    private final Set<Integer> eosTokenIds = new LinkedHashSet<>();

    private Tokenizer(HuggingFaceTokenizer tokenizer, TokenizerFile vocabulary, TokenizerConfig config, String source) {
        this.tokenizer = tokenizer;
        this.vocabulary = vocabulary;
        this.config = config;
        this.source = source;
    }

    /** Whether the folder has a tokenizer.json. */
    public static boolean isIn(Path folder) {
        return Files.exists(folder.resolve("tokenizer.json"));
    }

    /**
     * Opens the tokenizer of a model.
     *
     * @param modelEosTokenIds the end-of-sequence ids of the model's config.json and generation_config.json
     * @throws RankineException when tokenizer.json is missing or malformed, or the native library cannot be loaded
     */
    public static Tokenizer open(Path folder, List<Integer> modelEosTokenIds) {
        Path file = folder.resolve("tokenizer.json");
        if (!Files.exists(file)) {
            throw missing(folder, file);
        }
        String json = Json.readText(file);
        TokenizerFile vocabulary = TokenizerFile.read(json, file.toString());
        TokenizerConfig config = TokenizerConfig.read(folder);
        Tokenizer tokenizer =
                new Tokenizer(NativeTokenizers.create(json, file.toString()), vocabulary, config, file.toString());
        config.specialToken("eos_token").map(vocabulary::id).ifPresent(id -> id.ifPresent(tokenizer.eosTokenIds::add));
        tokenizer.eosTokenIds.addAll(modelEosTokenIds);
        return tokenizer;
    }

    /**
     * Encodes a text.
     *
     * @param addSpecialTokens whether the tokens that the tokenizer puts around every text (often a beginning-of-sequence
     *                         token) are added; special tokens that the text itself spells out become tokens either way
     */
    public Encoding encode(String text, boolean addSpecialTokens) {
        String wellFormed = wellFormed(text);
        ai.djl.huggingface.tokenizers.Encoding encoding;
        try {
            encoding = tokenizer.encode(wellFormed, addSpecialTokens, false);
        } catch (RuntimeException e) {
            throw new RankineException(
                    source + ": cannot encode a text of " + text.length() + " characters (" + NativeTokenizers.reason(e)
                            + "); is the file the model's own?",
                    e);
        }
        int[] ids = Arrays.stream(encoding.getIds()).mapToInt(Math::toIntExact).toArray();
        int[] starts = new int[ids.length];
        int[] ends = new int[ids.length];
        CharSpan[] spans = encoding.getCharTokenSpans();
        int[] units = unitOfCodePoint(wellFormed);
        int covered = 0;
        for (int t = 0; t < ids.length; t++) {
            if (spans[t] == null) {
                starts[t] = Encoding.NOWHERE;
                ends[t] = Encoding.NOWHERE;
                continue;
            }
            // A normalizer that makes text out of nothing gives places past the end.
            starts[t] = units[Math.min(spans[t].getStart(), units.length - 1)];
            ends[t] = units[Math.min(spans[t].getEnd(), units.length - 1)];
            if (starts[t] == ends[t] && starts[t] > covered) {
                starts[t] = covered; // "trim_offsets" takes the spaces away from tokens that are nothing but spaces
            }
            covered = Math.max(covered, ends[t]);
        }
        Encoding result = new Encoding(ids, starts, ends);
        return addSpecialTokens && !vocabulary.hasPostProcessor() ? withConfiguredTokens(result) : result;
    }

    /** The text of tokens; what is not valid UTF-8 among them is shown as U+FFFD. */
    public String decode(int[] ids, boolean skipSpecialTokens) {
        try {
            return tokenizer.decode(Arrays.stream(ids).asLongStream().toArray(), skipSpecialTokens);
        } catch (RuntimeException e) {
            throw new RankineException(
                    source + ": cannot decode " + ids.length + " tokens (" + NativeTokenizers.reason(e) + ")", e);
        }
    }

    /** Decodes tokens as they are generated after {@code prompt}, leaving out special tokens. */
    public TokenStreamDecoder streamAfter(int[] prompt) {
        return new TokenStreamDecoder(ids -> decode(ids, true), prompt);
    }

    /** One more than the largest token id. A model's vocabulary may be larger, padded to a round number. */
    public int vocabSize() {
        return vocabulary.size();
    }

    /** The id of a token as tokenizer.json spells it. */
    public OptionalInt tokenToId(String token) {
        return vocabulary.id(token);
    }

    /** The end-of-sequence token: the tokenizer's own, or else the model's first. */
    public OptionalInt eosTokenId() {
        return eosTokenIds.stream().mapToInt(Integer::intValue).findFirst();
    }

    /** Every token that ends a sequence: the tokenizer's own and the model's. */
    public Set<Integer> eosTokenIds() {
        return Set.copyOf(eosTokenIds);
    }

    public TokenizerConfig config() {
        return config;
    }

    @Override
    public void close() {
        tokenizer.close();
    }

    /** Where tokenizer.json does not say what surrounds a text, tokenizer_config.json does. */
    private Encoding withConfiguredTokens(Encoding encoding) {
        OptionalInt bos = config.addBosToken() ? special("bos_token") : OptionalInt.empty();
        OptionalInt eos = config.addEosToken() ? special("eos_token") : OptionalInt.empty();
        int before = bos.isPresent() ? 1 : 0;
        int length = before + encoding.length() + (eos.isPresent() ? 1 : 0);
        int[] ids = new int[length];
        int[] starts = new int[length];
        int[] ends = new int[length];
        Arrays.fill(starts, Encoding.NOWHERE);
        Arrays.fill(ends, Encoding.NOWHERE);
        System.arraycopy(encoding.ids(), 0, ids, before, encoding.length());
        System.arraycopy(encoding.starts(), 0, starts, before, encoding.length());
        System.arraycopy(encoding.ends(), 0, ends, before, encoding.length());
        bos.ifPresent(id -> ids[0] = id);
        eos.ifPresent(id -> ids[length - 1] = id);
        return new Encoding(ids, starts, ends);
    }

    private OptionalInt special(String role) {
        return config.specialToken(role).map(vocabulary::id).orElse(OptionalInt.empty());
    }

    /** Replaces halves of surrogate pairs, which have no UTF-8, so that places in the text stay what they are. */
    private static String wellFormed(String text) {
        boolean lone = text.codePoints().anyMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE);
        return !lone
                ? text
                : text.codePoints()
                        .map(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE ? 0xFFFD : c)
                        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                        .toString();
    }

    /** The library counts code points: where each begins in the String, and its end. */
    private static int[] unitOfCodePoint(String text) {
        int[] units = new int[text.codePointCount(0, text.length()) + 1];
        for (int point = 0, unit = 0; unit < text.length(); point++) {
            unit += Character.charCount(text.codePointAt(unit));
            units[point + 1] = unit;
        }
        return units;
    }

    private static RankineException missing(Path folder, Path file) {
        if (!Files.isDirectory(folder)) {
            return new RankineException(folder + ": no such folder");
        }
        for (String other : List.of("tokenizer.model", "vocab.json", "vocab.txt")) {
            if (Files.exists(folder.resolve(other))) {
                return new RankineException(
                        file + ": missing; there is only " + other + ". Make it once with Transformers:"
                                + " AutoTokenizer.from_pretrained(folder, use_fast=True).save_pretrained(folder)");
            }
        }
        return new RankineException(file + ": missing; copy it from where the model is from");
    }
}
