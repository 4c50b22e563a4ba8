package io.github.rankine.models.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.engine.RankineException;
import java.util.Map;
import java.util.Set;

/**
 * Checks the components of a tokenizer.json, {@code normalizer}, {@code pre_tokenizer}, {@code post_processor} and
 * {@code decoder}, for everything at which version 0.21 of the native library panics, which would end the process: its
 * own checks return errors, but not all that it takes for granted is checked.
 */
final class ComponentCheck {
    /** By component, the types that are safe to load. Precompiled, CTC and FixedLength are not, with damaged values. */
    private static final Map<String, Set<String>> TYPES = Map.of(
            "normalizer",
            Set.of(
                    "Sequence",
                    "BertNormalizer",
                    "Strip",
                    "StripAccents",
                    "NFC",
                    "NFD",
                    "NFKC",
                    "NFKD",
                    "Lowercase",
                    "Nmt",
                    "Replace",
                    "Prepend",
                    "ByteLevel"),
            "pre_tokenizer",
            Set.of(
                    "Sequence",
                    "BertPreTokenizer",
                    "ByteLevel",
                    "CharDelimiterSplit",
                    "Metaspace",
                    "Whitespace",
                    "WhitespaceSplit",
                    "Split",
                    "Punctuation",
                    "Digits",
                    "UnicodeScripts"),
            "post_processor",
            Set.of("Sequence", "ByteLevel", "TemplateProcessing", "BertProcessing", "RobertaProcessing"),
            "decoder",
            Set.of(
                    "Sequence",
                    "BPEDecoder",
                    "ByteLevel",
                    "WordPiece",
                    "Metaspace",
                    "Replace",
                    "Fuse",
                    "Strip",
                    "ByteFallback"));

    /** By component, what holds the members of a Sequence. */
    private static final Map<String, String> MEMBERS = Map.of(
            "normalizer", "normalizers",
            "pre_tokenizer", "pretokenizers",
            "post_processor", "processors",
            "decoder", "decoders");

    private final String source;

    ComponentCheck(String source) {
        this.source = source;
    }

    /** Checks a component, which may be null. */
    void check(String name, JsonNode component) {
        if (!component.isNull()) {
            checkValues(name, component);
            checkType(name, name, component);
        }
    }

    /** Numbers and strings that one parser of JSON takes and another does not. */
    private void checkValues(String field, JsonNode value) {
        if (value.isNumber() && !(value.canConvertToInt() && value.isIntegralNumber() && value.intValue() >= 0)) {
            throw malformed(field, value.asText() + " found, expected a small integer");
        }
        if (value.isTextual()) {
            checkText(field, value.textValue());
        }
        value.properties().forEach(entry -> {
            checkText(field, entry.getKey());
            checkValues(field + "." + entry.getKey(), entry.getValue());
        });
        if (value.isArray()) {
            value.forEach(item -> checkValues(field, item));
        }
    }

    private void checkText(String field, String text) {
        if (text.codePoints().anyMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE)) {
            throw malformed(field, "half a surrogate pair");
        }
    }

    private void checkType(String name, String field, JsonNode component) {
        String type = component.path("type").asText();
        if (!TYPES.get(name).contains(type)) {
            throw new RankineException(source + ": " + field + ": type '" + type + "' is not supported; supported are "
                    + String.join(", ", TYPES.get(name).stream().sorted().toList()));
        }
        switch (type) {
            case "Sequence" -> checkSequence(name, field + "." + MEMBERS.get(name), component.path(MEMBERS.get(name)));
            case "TemplateProcessing" -> checkTemplate(field, component);
            case "Strip" -> {
                if (name.equals("decoder") && component.path("stop").intValue() != 0) {
                    throw malformed(field + ".stop", component.path("stop") + " found, expected 0");
                }
            }
            default -> {}
        }
    }

    private void checkSequence(String name, String field, JsonNode members) {
        if (!members.isArray()) {
            throw malformed(field, "expected a list");
        }
        for (int i = 0; i < members.size(); i++) {
            checkType(name, field + "[" + i + "]", members.get(i));
            String type = members.get(i).path("type").asText();
            boolean surrounds = name.equals("post_processor") && !type.equals("ByteLevel");
            if (surrounds && i < members.size() - 1) {
                throw malformed(field + "[" + i + "]", type + " must be the last");
            }
        }
    }

    /** The template for one text: the text once, and special tokens that are explained. */
    private void checkTemplate(String field, JsonNode component) {
        int texts = 0;
        for (JsonNode piece : component.path("single")) {
            if (piece.has("Sequence")) {
                texts += piece.path("Sequence").path("id").asText().equals("A") ? 1 : 2;
            } else {
                String id = piece.path("SpecialToken").path("id").asText();
                JsonNode token = component.path("special_tokens").path(id);
                int ids = token.path("ids").size();
                if (ids == 0 || ids != token.path("tokens").size()) {
                    throw malformed(field + ".special_tokens", "no ids, or not as many tokens, for '" + id + "'");
                }
            }
        }
        if (texts != 1) {
            throw malformed(field + ".single", "expected the sequence A once");
        }
    }

    private RankineException malformed(String field, String problem) {
        return new RankineException(
                source + ": " + field + ": " + problem + "; copy tokenizer.json anew from where the model is from");
    }
}
