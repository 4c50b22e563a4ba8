package io.github.rankine.models.data;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Reads the records of a JSON Lines file, or of a file that is one JSON array, one at a time. */
final class RecordReader {
    private static final char BYTE_ORDER_MARK = '\uFEFF';

    /** Takes a record and what to call its place in complaints. */
    @FunctionalInterface
    interface Consumer {
        void accept(JsonObject record, String place);
    }

    private RecordReader() {}

    static void read(Path file, Consumer consumer) {
        if (!Files.exists(file)) {
            throw new RankineException(
                    file + ": no such file; expected a file of examples, JSON Lines or a JSON array");
        }
        if (!Files.isRegularFile(file)) {
            throw new RankineException(file + ": not a file; expected JSON Lines or a JSON array of records");
        }
        Utf8Check.check(file);
        try (BufferedReader reader = Files.newBufferedReader(file)) {
            if (firstCharacter(reader) == '[') {
                readArray(file, reader, consumer);
            } else {
                readLines(file, reader, consumer);
            }
        } catch (IOException e) {
            throw new RankineException(file + ": cannot be read (" + e.getMessage() + "); check its permissions", e);
        }
    }

    /** Looks past white space and a byte order mark, and leaves the reader at the beginning or behind the mark. */
    private static int firstCharacter(BufferedReader reader) throws IOException {
        reader.mark(1);
        if (reader.read() != BYTE_ORDER_MARK) {
            reader.reset();
        }
        int looked = 8192;
        reader.mark(looked);
        int first = ' ';
        for (int i = 0; i < looked && first >= 0 && Character.isWhitespace(first); i++) {
            first = reader.read();
        }
        reader.reset();
        return first;
    }

    private static void readLines(Path file, BufferedReader reader, Consumer consumer) throws IOException {
        long number = 0;
        for (String line = reader.readLine(); line != null; line = reader.readLine()) {
            number++;
            if (!line.isBlank()) {
                String place = file + ", line " + number;
                consumer.accept(Json.object(parseLine(line, place), place), place);
            }
        }
    }

    private static JsonNode parseLine(String line, String place) {
        try {
            return Json.mapper().readTree(line);
        } catch (JsonProcessingException e) {
            throw new RankineException(
                    place + ": not valid JSON at column "
                            + (e.getLocation() == null ? 1 : e.getLocation().getColumnNr()) + ": "
                            + Json.problem(e)
                            + "; expected one record {...} a line, or the whole file one JSON array",
                    e);
        }
    }

    private static void readArray(Path file, BufferedReader reader, Consumer consumer) throws IOException {
        try (JsonParser parser = Json.mapper().createParser(reader)) {
            parser.nextToken();
            for (long number = 1; parser.nextToken() != JsonToken.END_ARRAY; number++) {
                String place = file + ", record " + number + " (line "
                        + parser.currentTokenLocation().getLineNr() + ")";
                JsonNode node = Json.readValue(parser);
                consumer.accept(Json.object(node, place), place);
            }
            if (parser.nextToken() != null) {
                throw new RankineException(file + ": line "
                        + parser.currentTokenLocation().getLineNr() + ": something follows the array's ]");
            }
        } catch (JsonProcessingException e) {
            throw Json.malformed(file.toString(), e);
        }
    }
}
