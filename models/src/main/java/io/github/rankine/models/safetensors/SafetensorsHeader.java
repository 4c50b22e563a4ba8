package io.github.rankine.models.safetensors;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import io.github.rankine.engine.RankineException;
import io.github.rankine.models.json.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The JSON header of a safetensors file, checked against the bytes that follow it: the tensors fill them without holes,
 * overlaps or remainder, and each is as long as its shape and type say.
 *
 * @param tensors  by name, in the order of their bytes
 * @param metadata the entries of {@code __metadata__}
 */
record SafetensorsHeader(Map<String, TensorInfo> tensors, Map<String, String> metadata) {
    static final String METADATA = "__metadata__";

    /** PyTorch's own limit; the format has none. */
    private static final int MAX_DIMENSIONS = 64;

    SafetensorsHeader {
        tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
        metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
    }

    /**
     * Parses a header.
     *
     * @param json      its text, with the spaces that may pad its end
     * @param dataBytes bytes between the header's end and the file's
     * @param file      the name for complaints
     */
    static SafetensorsHeader parse(String json, long dataBytes, String file) {
        try (JsonParser parser = Json.mapper().createParser(json)) {
            return new Reader(parser, file).read(dataBytes);
        } catch (JsonProcessingException e) {
            throw Json.malformed(file + ": header", e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** One pass over the header's tokens: a tree of a hostile header would take many times its size. */
    private record Reader(JsonParser parser, String file) {
        SafetensorsHeader read(long dataBytes) throws IOException {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw damaged("the header is not a JSON object");
            }
            Map<String, String> metadata = Map.of();
            List<TensorInfo> tensors = new ArrayList<>();
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String name = parser.currentName();
                parser.nextToken();
                if (name.equals(METADATA)) {
                    metadata = metadata();
                } else {
                    tensors.add(tensor(name));
                }
            }
            if (parser.nextToken() != null) {
                throw damaged("the header goes on after its JSON object");
            }
            return new SafetensorsHeader(inOrder(tensors, dataBytes), metadata);
        }

        private Map<String, String> metadata() throws IOException {
            expect(JsonToken.START_OBJECT, METADATA, "an object of strings");
            Map<String, String> metadata = new LinkedHashMap<>();
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String key = parser.currentName();
                parser.nextToken();
                expect(JsonToken.VALUE_STRING, METADATA + "." + key, "a string");
                metadata.put(key, parser.getText());
            }
            return metadata;
        }

        private TensorInfo tensor(String name) throws IOException {
            String field = "tensor '" + name + "'";
            expect(JsonToken.START_OBJECT, field, "an object of dtype, shape and data_offsets");
            StoredType type = null;
            List<Long> shape = null;
            List<Long> offsets = null;
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String key = parser.currentName();
                parser.nextToken();
                switch (key) {
                    case "dtype" -> type = type(field);
                    case "shape" -> shape = naturals(field + ": shape", MAX_DIMENSIONS);
                    case "data_offsets" -> offsets = naturals(field + ": data_offsets", 2);
                    default -> parser.skipChildren();
                }
            }
            if (type == null || shape == null || offsets == null) {
                throw damaged(field + " lacks "
                        + (type == null ? "its dtype" : shape == null ? "its shape" : "its data_offsets"));
            }
            if (offsets.size() != 2 || offsets.get(0) > offsets.get(1)) {
                throw damaged(field + ": data_offsets " + offsets + ": expected [begin, end], begin not past end");
            }
            TensorInfo info = new TensorInfo(name, type, shape, offsets.get(0), offsets.get(1));
            checkLength(info);
            return info;
        }

        private void checkLength(TensorInfo info) {
            try {
                long bits =
                        Math.multiplyExact(info.elements(), (long) info.type().bits());
                if (bits % 8 == 0 && bits / 8 == info.bytes()) {
                    return;
                }
            } catch (ArithmeticException _) {
                // More bits than a long counts are more than any file has.
            }
            throw damaged("tensor '" + info.name() + "': shape " + info.shape() + " of " + info.type()
                    + " does not take the " + info.bytes() + " bytes of its data_offsets");
        }

        private StoredType type(String field) throws IOException {
            expect(JsonToken.VALUE_STRING, field + ": dtype", "a string");
            String name = parser.getText();
            return StoredType.named(name)
                    .orElseThrow(() -> new RankineException(
                            file + ": " + field + ": unknown dtype '" + name + "'; known are " + StoredType.names()));
        }

        private List<Long> naturals(String field, int most) throws IOException {
            expect(JsonToken.START_ARRAY, field, "a list of integers");
            List<Long> values = new ArrayList<>();
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                expect(JsonToken.VALUE_NUMBER_INT, field, "integers");
                long value = parser.getLongValue();
                if (value < 0) {
                    throw damaged(field + ": " + value + " is negative");
                }
                if (values.size() == most) {
                    throw damaged(field + ": more than " + most + " numbers");
                }
                values.add(value);
            }
            return values;
        }

        private Map<String, TensorInfo> inOrder(List<TensorInfo> tensors, long dataBytes) {
            tensors.sort(Comparator.comparingLong(TensorInfo::begin).thenComparingLong(TensorInfo::end));
            Map<String, TensorInfo> ordered = new LinkedHashMap<>();
            long position = 0;
            for (TensorInfo tensor : tensors) {
                if (tensor.end() > dataBytes) {
                    throw damaged("tensor '" + tensor.name() + "' ends at byte " + tensor.end() + " of " + dataBytes
                            + " that follow the header: the file is cut short");
                }
                if (tensor.begin() != position) {
                    throw damaged("tensor '" + tensor.name() + "' begins at byte " + tensor.begin() + ", "
                            + (tensor.begin() < position
                                    ? "inside the one before it, which ends at "
                                    : "past a hole from ")
                            + position);
                }
                position = tensor.end();
                ordered.put(tensor.name(), tensor);
            }
            if (position != dataBytes) {
                throw damaged((dataBytes - position) + " bytes after the last tensor belong to none");
            }
            return ordered;
        }

        private void expect(JsonToken token, String field, String expected) throws IOException {
            if (parser.currentToken() != token) {
                throw damaged(field + ": expected " + expected);
            }
        }

        private RankineException damaged(String complaint) {
            return SafetensorsFile.damaged(file, complaint);
        }
    }
}
