package io.github.rankine.models.tokenizer;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.models.json.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * What of a tokenizer.json is needed on this side: the tokens with their ids, from {@code model.vocab}, which is an
 * object of ids (BPE, WordPiece, WordLevel) or a list of pieces with scores (Unigram), and {@code added_tokens}; and the
 * assurance that the native library, which ends the process where it panics, can be given the file. Read as a stream:
 * most of such a file is vocabulary and merges.
 */
final class TokenizerFile {
    /** Ids are below this. */
    private static final int MAX_SIZE = 1 << 24;

    private final String source;
    private final Map<String, Integer> ids = new HashMap<>();
    private final List<String> addedTokens = new ArrayList<>();
    private int modelTokens;
    private int size;
    private boolean hasPostProcessor;

    private TokenizerFile(String source) {
        this.source = source;
    }

    static TokenizerFile read(String json, String source) {
        TokenizerFile file = new TokenizerFile(source);
        if (json.isBlank()) {
            throw new RankineException(source + ": is empty; expected a JSON object");
        }
        try (JsonParser parser = Json.mapper().createParser(json)) {
            file.readFile(parser);
            if (parser.nextToken() != null) {
                throw new RankineException(source + ": something follows the JSON object; is the file complete?");
            }
        } catch (JsonProcessingException e) {
            throw Json.malformed(source, e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        file.modelTokens = file.ids.size();
        if (file.modelTokens == 0) {
            throw file.malformed("model.vocab", "no tokens");
        }
        file.numberAddedTokens();
        return file;
    }

    /** The id of a token as tokenizer.json spells it. */
    OptionalInt id(String token) {
        Integer id = ids.get(token);
        return id == null ? OptionalInt.empty() : OptionalInt.of(id);
    }

    /** One more than the largest id. */
    int size() {
        return size;
    }

    /** Whether the file itself says which tokens surround a text. */
    boolean hasPostProcessor() {
        return hasPostProcessor;
    }

    private void readFile(JsonParser parser) throws IOException {
        expect(parser.nextToken(), JsonToken.START_OBJECT, "the file", "an object");
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String name = parser.currentName();
            JsonToken value = parser.nextToken();
            switch (name) {
                case "model" -> readModel(parser, value);
                case "added_tokens" -> readAddedTokens(parser, value);
                case "normalizer", "pre_tokenizer", "post_processor", "decoder" -> {
                    JsonNode component = Json.readValue(parser);
                    new ComponentCheck(source).check(name, component);
                    hasPostProcessor |= name.equals("post_processor") && !component.isNull();
                }
                default -> parser.skipChildren();
            }
        }
    }

    private void readModel(JsonParser parser, JsonToken start) throws IOException {
        expect(start, JsonToken.START_OBJECT, "model", "an object");
        boolean wordPiece = false;
        boolean prefixed = false;
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String name = parser.currentName();
            JsonToken value = parser.nextToken();
            switch (name) {
                case "vocab" -> {
                    if (value == JsonToken.START_ARRAY) {
                        readPieces(parser);
                    } else {
                        expect(value, JsonToken.START_OBJECT, "model.vocab", "an object or a list");
                        readIds(parser);
                    }
                }
                case "type" -> wordPiece = parser.getText().equals("WordPiece");
                case "continuing_subword_prefix" -> {
                    prefixed =
                            value == JsonToken.VALUE_STRING && !parser.getText().isEmpty();
                    parser.skipChildren();
                }
                default -> parser.skipChildren();
            }
        }
        if (prefixed && !wordPiece) {
            throw new RankineException(
                    source + ": model.continuing_subword_prefix: supported for WordPiece models only");
        }
    }

    private void readIds(JsonParser parser) throws IOException {
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String token = parser.currentName();
            parser.nextToken();
            put(token, id(parser, "model.vocab." + token));
        }
    }

    private void readPieces(JsonParser parser) throws IOException {
        for (int id = 0; parser.nextToken() != JsonToken.END_ARRAY; id++) {
            String field = "model.vocab[" + id + "]";
            expect(parser.currentToken(), JsonToken.START_ARRAY, field, "a piece and its score");
            expect(parser.nextToken(), JsonToken.VALUE_STRING, field, "a piece and its score");
            put(parser.getText(), id);
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                parser.skipChildren();
            }
        }
    }

    private void readAddedTokens(JsonParser parser, JsonToken start) throws IOException {
        if (start == JsonToken.VALUE_NULL) {
            return;
        }
        expect(start, JsonToken.START_ARRAY, "added_tokens", "a list");
        for (int i = 0; parser.nextToken() != JsonToken.END_ARRAY; i++) {
            expect(parser.currentToken(), JsonToken.START_OBJECT, "added_tokens[" + i + "]", "an object");
            String field = "added_tokens[" + i + "]";
            String content = null;
            boolean hasId = false;
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                JsonToken value = parser.nextToken();
                switch (name) {
                    case "content" -> {
                        expect(value, JsonToken.VALUE_STRING, field + ".content", "a string");
                        content = parser.getText();
                    }
                    case "id" -> hasId = id(parser, field + ".id") >= 0;
                    default -> parser.skipChildren();
                }
            }
            if (content == null || !hasId) {
                throw malformed(field, "no content or no id");
            }
            addedTokens.add(content);
        }
    }

    /** The library gives an added token that the model does not have the next free id, whatever the file says. */
    private void numberAddedTokens() {
        int largestAdded = -1;
        for (String token : addedTokens) {
            if (!token.isEmpty()) {
                int id = ids.getOrDefault(token, Math.max(modelTokens, largestAdded + 1));
                put(token, id);
                largestAdded = Math.max(largestAdded, id);
            }
        }
    }

    private void put(String token, int id) {
        ids.put(token, id);
        size = Math.max(size, id + 1);
    }

    private int id(JsonParser parser, String field) throws IOException {
        expect(parser.currentToken(), JsonToken.VALUE_NUMBER_INT, field, "an id");
        long id = parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER ? -1 : parser.getLongValue();
        if (id < 0 || id >= MAX_SIZE) {
            throw malformed(field, parser.getText() + " found, expected an id from 0 to " + (MAX_SIZE - 1));
        }
        return (int) id;
    }

    private void expect(JsonToken found, JsonToken expected, String field, String description) {
        if (found != expected) {
            throw malformed(field, (found == null ? "nothing" : found) + " found, expected " + description);
        }
    }

    private RankineException malformed(String field, String problem) {
        return new RankineException(
                source + ": " + field + ": " + problem + "; copy tokenizer.json anew from where the model is from");
    }
}
