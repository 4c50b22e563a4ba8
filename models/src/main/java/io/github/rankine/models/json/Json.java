package io.github.rankine.models.json;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Strict JSON (RFC 8259): UTF-8, no key twice in an object, nothing after the value, at most {@value #MAX_DEPTH} levels
 * deep. What a complaint calls the {@code source} is a file, or a place in one such as {@code data.jsonl, line 3}.
 */
public final class Json {
    /** Levels of nesting; no file of the formats read here needs ten. */
    static final int MAX_DEPTH = 100;

    /** Bytes of a document that is read whole; the largest weight indices are a few megabytes. */
    static final long MAX_BYTES = 64L << 20;

    private static final String CUT_SHORT = "is the file complete and UTF-8 JSON?";

    private static final JsonMapper MAPPER = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(MAX_DEPTH)
                            .maxStringLength(Integer.MAX_VALUE)
                            .build())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    // Its table of names throws IllegalStateException when a hostile file makes them collide.
                    .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(JsonWriteFeature.ESCAPE_NON_ASCII.mappedFeature())
            .defaultPrettyPrinter(new DefaultPrettyPrinter(Separators.createDefaultInstance()
                            .withObjectFieldValueSpacing(Separators.Spacing.AFTER)
                            .withObjectEmptySeparator("")
                            .withArrayEmptySeparator(""))
                    .withObjectIndenter(new DefaultIndenter("  ", "\n"))
                    .withArrayIndenter(new DefaultIndenter("  ", "\n")))
            .build();

    private Json() {}

    /** The mapper behind this class, with its limits; for readers that stream. */
    public static JsonMapper mapper() {
        return MAPPER;
    }

    /** Reads a file that holds one object. */
    public static JsonObject readObject(Path file) {
        return parseObject(readText(file), file.toString());
    }

    /** Reads a UTF-8 file of at most 64 MiB. */
    public static String readText(Path file) {
        try {
            if (!Files.exists(file)) {
                throw new RankineException(file + ": no such file; check the path");
            }
            if (!Files.isRegularFile(file)) {
                throw new RankineException(file + ": not a file");
            }
            if (Files.size(file) > MAX_BYTES) {
                throw new RankineException(
                        file + ": " + Files.size(file) + " bytes; a JSON file here has at most " + MAX_BYTES);
            }
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(Files.readAllBytes(file)))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new RankineException(file + ": not UTF-8; " + CUT_SHORT, e);
        } catch (IOException e) {
            throw new RankineException(file + ": cannot be read (" + e.getMessage() + "); check its permissions", e);
        }
    }

    /** Parses one object. */
    public static JsonObject parseObject(String text, String source) {
        return object(parse(text, source), source);
    }

    /** The fields of a value that must be an object. */
    public static JsonObject object(JsonNode node, String source) {
        if (!(node instanceof ObjectNode object)) {
            throw new RankineException(source + ": " + kind(node) + " found, expected a JSON object {...}");
        }
        return new JsonObject(source, "", object);
    }

    /** Parses one value of any kind. */
    public static JsonNode parse(String text, String source) {
        try {
            JsonNode node = MAPPER.readTree(text);
            if (node.isMissingNode()) {
                throw new RankineException(source + ": empty; expected JSON");
            }
            return node;
        } catch (JsonProcessingException e) {
            throw malformed(source, e);
        }
    }

    /** The value at which a parser that streams stands, whatever follows it. */
    public static JsonNode readValue(JsonParser parser) throws IOException {
        return MAPPER.reader()
                .without(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                .readTree(parser);
    }

    /** The one line for what Jackson objects to. */
    /** What Jackson complains of, without its own options and places. */
    public static String problem(JsonProcessingException e) {
        String first = e.getOriginalMessage().lines().findFirst().orElse("malformed");
        return first.replaceAll(" ?\\(start marker at.*", "")
                .replaceAll(" ?\\[Source: .*", "")
                .replaceAll(",? (from|see|as) `Stream[^`]*`", "")
                .replaceAll(" ?\\(`Stream[^)]*\\)?", "");
    }

    public static RankineException malformed(String source, JsonProcessingException e) {
        String place = e.getLocation() == null
                ? ""
                : " at line " + e.getLocation().getLineNr() + ", column "
                        + e.getLocation().getColumnNr();
        String problem = problem(e);
        return new RankineException(source + ": not valid JSON" + place + ": " + problem + "; " + CUT_SHORT, e);
    }

    /** Writes {@code node} as Python's {@code json.dumps(…, indent=2)} does. */
    public static String write(JsonNode node) {
        try {
            return MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(node);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /** What kind of value {@code node} is, with the value itself where it is short. */
    static String kind(JsonNode node) {
        return switch (node.getNodeType()) {
            case OBJECT -> "an object";
            case ARRAY -> "a list";
            case STRING -> "the string \"" + shorten(node.textValue()) + "\"";
            default -> shorten(node.asText());
        };
    }

    private static String shorten(String text) {
        return text.length() <= 60 ? text : text.substring(0, 57) + "...";
    }
}
