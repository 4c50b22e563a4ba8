package io.github.rankine.models.bundled;

import io.github.rankine.models.json.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The JSON files beside the bundled model's weights, as Transformers and Tokenizers write them: {@code config.json},
 * {@code generation_config.json}, {@code tokenizer.json}, {@code tokenizer_config.json}. The tokenizer is learned from
 * {@link PretrainingText}.
 */
public final class BundledFiles {
    /** Ends a document and, as the beginning-of-sequence token, precedes the next. */
    public static final String END_OF_TEXT = "<|endoftext|>";

    /** Standard deviation of the first weights: about 1/√hidden, from which copying is learned in fewer steps than from 0.02. */
    static final double INITIALIZER_RANGE = 0.09;

    private static final String TURN_START = "<|im_start|>";
    private static final String TURN_END = "<|im_end|>";
    private static final List<String> SPECIAL_TOKENS = List.of(END_OF_TEXT, TURN_START, TURN_END);
    private static final int VOCABULARY = 1024;
    private static final int TOKENIZER_DOCUMENTS = 20_000;
    private static final int CONTEXT = 512;
    private static final int HIDDEN = 160;
    private static final int HEADS = 4;
    private static final String CHAT_TEMPLATE = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n"
            + "' + message['content'] + '<|im_end|>\n"
            + "' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n"
            + "' }}{% endif %}";

    private BundledFiles() {}

    /** Learns the tokenizer from the documents of {@code seed}; returns each file's name and text. */
    public static Map<String, String> render(long seed) {
        BpeTrainer.Vocabulary vocabulary = learnTokenizer(seed);
        Map<String, String> files = new LinkedHashMap<>();
        files.put("config.json", text(config(vocabulary)));
        files.put("generation_config.json", text(generationConfig(vocabulary)));
        files.put("tokenizer.json", text(tokenizer(vocabulary)));
        files.put("tokenizer_config.json", text(tokenizerConfig()));
        return files;
    }

    private static String text(Map<String, Object> object) {
        return Json.write(Json.mapper().valueToTree(object)) + "\n";
    }

    static BpeTrainer.Vocabulary learnTokenizer(long seed) {
        PretrainingText text = new PretrainingText(seed);
        BpeTrainer trainer = new BpeTrainer();
        for (int i = 0; i < TOKENIZER_DOCUMENTS; i++) {
            trainer.add(text.next().replace(TURN_START, "").replace(TURN_END, ""));
        }
        return trainer.train(VOCABULARY, SPECIAL_TOKENS);
    }

    private static Map<String, Object> config(BpeTrainer.Vocabulary vocabulary) {
        Map<String, Object> config = new TreeMap<>();
        config.put("architectures", List.of("LlamaForCausalLM"));
        config.put("attention_bias", false);
        config.put("attention_dropout", 0.0);
        config.put("bos_token_id", id(vocabulary, END_OF_TEXT));
        config.put("eos_token_id", id(vocabulary, END_OF_TEXT));
        config.put("head_dim", HIDDEN / HEADS);
        config.put("hidden_act", "silu");
        config.put("hidden_size", HIDDEN);
        config.put("initializer_range", INITIALIZER_RANGE);
        config.put("intermediate_size", 3 * HIDDEN);
        config.put("max_position_embeddings", CONTEXT);
        config.put("mlp_bias", false);
        config.put("model_type", "llama");
        config.put("num_attention_heads", HEADS);
        config.put("num_hidden_layers", 4);
        config.put("num_key_value_heads", HEADS / 2);
        config.put("pretraining_tp", 1);
        config.put("rms_norm_eps", 1e-5);
        config.put("rope_scaling", null);
        config.put("rope_theta", 10000.0);
        config.put("tie_word_embeddings", true);
        config.put("torch_dtype", "bfloat16");
        config.put("use_cache", true);
        config.put("vocab_size", vocabulary.tokens().size());
        return config;
    }

    private static Map<String, Object> generationConfig(BpeTrainer.Vocabulary vocabulary) {
        Map<String, Object> config = new TreeMap<>();
        config.put("bos_token_id", id(vocabulary, END_OF_TEXT));
        config.put("eos_token_id", List.of(id(vocabulary, END_OF_TEXT), id(vocabulary, TURN_END)));
        config.put("pad_token_id", id(vocabulary, END_OF_TEXT));
        return config;
    }

    private static Map<String, Object> tokenizer(BpeTrainer.Vocabulary vocabulary) {
        List<Object> added = new ArrayList<>();
        for (String token : vocabulary.specialTokens()) {
            added.add(object(
                    "id", id(vocabulary, token),
                    "content", token,
                    "single_word", false,
                    "lstrip", false,
                    "rstrip", false,
                    "normalized", false,
                    "special", true));
        }
        Map<String, Integer> ids = new LinkedHashMap<>();
        vocabulary.tokens().forEach(token -> ids.put(token, ids.size()));
        Map<String, Object> byteLevel =
                object("type", "ByteLevel", "add_prefix_space", false, "trim_offsets", true, "use_regex", true);
        Map<String, Object> model = object(
                "type",
                "BPE",
                "dropout",
                null,
                "unk_token",
                null,
                "continuing_subword_prefix",
                null,
                "end_of_word_suffix",
                null,
                "fuse_unk",
                false,
                "byte_fallback",
                false,
                "ignore_merges",
                false,
                "vocab",
                ids,
                "merges",
                vocabulary.merges().stream()
                        .map(merge -> List.of(merge.left(), merge.right()))
                        .toList());
        return object(
                "version",
                "1.0",
                "truncation",
                null,
                "padding",
                null,
                "added_tokens",
                added,
                "normalizer",
                null,
                "pre_tokenizer",
                byteLevel,
                "post_processor",
                null,
                "decoder",
                byteLevel,
                "model",
                model);
    }

    private static Map<String, Object> tokenizerConfig() {
        return object(
                "add_prefix_space", false,
                "bos_token", END_OF_TEXT,
                "chat_template", CHAT_TEMPLATE,
                "clean_up_tokenization_spaces", false,
                "eos_token", END_OF_TEXT,
                "model_max_length", CONTEXT,
                "pad_token", END_OF_TEXT,
                "tokenizer_class", "PreTrainedTokenizerFast");
    }

    private static int id(BpeTrainer.Vocabulary vocabulary, String token) {
        return vocabulary.tokens().indexOf(token);
    }

    /** A JSON object of the given names and values, in their order; values may be null. */
    private static Map<String, Object> object(Object... namesAndValues) {
        Map<String, Object> object = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            object.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return object;
    }
}
