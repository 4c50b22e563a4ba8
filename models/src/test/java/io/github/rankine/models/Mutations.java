package io.github.rankine.models;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ContainerNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.ThreadMXBean;
import io.github.rankine.engine.RankineException;
import io.github.rankine.models.json.Json;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Damages files at random, always in the same way for the same seed, and sees that readers take it well. */
public final class Mutations {
    /** Heap that a reader may take for a file of a few kilobytes, however it is damaged. */
    private static final long MAX_ALLOCATED = 16L << 20;

    private Mutations() {}

    /** Something that is damaged anew each time. */
    @FunctionalInterface
    public interface Damage {
        byte[] next(Random random);
    }

    /** A reader of the file that was damaged. */
    @FunctionalInterface
    public interface Reader {
        void read() throws IOException;
    }

    /**
     * Puts {@code count} damaged versions in the place of {@code file}: the reader either takes one or throws a
     * RankineException of one line. At least a quarter must be refused, and one taken, or the damage tests nothing.
     */
    public static void survives(int count, Path file, Damage damage, Reader reader) throws IOException {
        Random random = new Random(42);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int refused = 0;
        for (int i = 0; i < count; i++) {
            byte[] bytes = damage.next(random);
            Files.write(file, bytes);
            long before = threads.getCurrentThreadAllocatedBytes();
            try {
                reader.read();
            } catch (RankineException e) {
                refused++;
                String message = e.getMessage();
                if (message.isBlank()
                        || message.length() > 2500
                        || message.lines().count() != 1) {
                    throw new AssertionError("not one line: " + message, e);
                }
            } catch (RuntimeException | Error e) {
                throw new AssertionError("version " + i + ": " + new String(bytes, StandardCharsets.ISO_8859_1), e);
            }
            long allocated = threads.getCurrentThreadAllocatedBytes() - before;
            if (allocated > MAX_ALLOCATED) {
                throw new AssertionError("version " + i + " took " + allocated + " bytes");
            }
        }
        assertThat(refused).as("refused of %d", count).isBetween(count / 4, count - 1);
    }

    /** {@code original} with a few of its bytes changed, lost, repeated or made up. */
    public static byte[] bytes(byte[] original, Random random) {
        byte[] bytes = original.clone();
        for (int edits = 1 + random.nextInt(3); edits > 0 && bytes.length > 0; edits--) {
            int at = random.nextInt(bytes.length);
            int length = Math.min(1 + random.nextInt(20), bytes.length - at);
            switch (random.nextInt(6)) {
                case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                case 1 -> bytes[at] = (byte) random.nextInt(256);
                case 2 -> bytes = Arrays.copyOf(bytes, at);
                case 3 ->
                    bytes = joined(Arrays.copyOf(bytes, at), Arrays.copyOfRange(bytes, at + length, bytes.length));
                case 4 ->
                    bytes = joined(Arrays.copyOf(bytes, at + length), Arrays.copyOfRange(bytes, at, bytes.length));
                default -> Arrays.fill(bytes, at, at + length, (byte) (random.nextBoolean() ? 0 : 0xff));
            }
        }
        return bytes;
    }

    private static byte[] joined(byte[] first, byte[] second) {
        byte[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }

    /** JSON text with one to three of its values replaced, renamed, repeated or deleted, and now and then its bytes damaged. */
    public static byte[] json(String original, Random random) {
        JsonNode root = Json.parse(original, "original");
        for (int edits = 1 + random.nextInt(3); edits > 0; edits--) {
            List<ContainerNode<?>> containers = new ArrayList<>();
            collect(root, containers);
            if (containers.isEmpty()) {
                break;
            }
            edit(containers.get(random.nextInt(containers.size())), random);
        }
        byte[] text = root.toString().getBytes(StandardCharsets.UTF_8);
        return random.nextInt(4) == 0 ? bytes(text, random) : text;
    }

    private static void collect(JsonNode node, List<ContainerNode<?>> containers) {
        if (node instanceof ContainerNode<?> container && !container.isEmpty()) {
            containers.add(container);
            container.forEach(child -> collect(child, containers));
        }
    }

    private static void edit(ContainerNode<?> container, Random random) {
        int at = random.nextInt(container.size());
        switch (container) {
            case ObjectNode object -> {
                List<Map.Entry<String, JsonNode>> fields = List.copyOf(object.properties());
                Map.Entry<String, JsonNode> field = fields.get(at);
                switch (random.nextInt(6)) {
                    case 0 -> object.remove(field.getKey());
                    case 1 -> object.set(field.getKey() + "x", object.remove(field.getKey()));
                    case 2 ->
                        object.set(
                                field.getKey(),
                                fields.get(random.nextInt(fields.size())).getValue());
                    default -> object.set(field.getKey(), value(field.getValue(), random));
                }
            }
            case ArrayNode array -> {
                switch (random.nextInt(4)) {
                    case 0 -> array.remove(at);
                    case 1 -> array.insert(at, array.get(at));
                    default -> array.set(at, value(array.get(at), random));
                }
            }
            default -> throw new IllegalStateException(container.getNodeType().toString());
        }
    }

    private static JsonNode value(JsonNode old, Random random) {
        JsonNodeFactory make = JsonNodeFactory.instance;
        return switch (random.nextInt(16)) {
            case 0 -> make.nullNode();
            case 1 -> make.booleanNode(random.nextBoolean());
            case 2 -> make.numberNode(0);
            case 3 -> make.numberNode(-1);
            case 4 -> make.numberNode(old.asLong() + random.nextInt(9) - 4);
            case 5 -> make.numberNode(Integer.MAX_VALUE);
            case 6 -> make.numberNode(Long.MAX_VALUE - random.nextInt(3));
            case 7 ->
                make.numberNode(BigInteger.ONE.shiftLeft(random.nextInt(200)).negate());
            case 8 -> make.numberNode(BigInteger.ONE.shiftLeft(random.nextInt(70)));
            case 9 -> make.numberNode(random.nextBoolean() ? Double.MAX_VALUE : Double.MIN_VALUE);
            case 10 -> make.numberNode(old.asDouble() / 3);
            case 11 -> make.textNode(text(random));
            case 12 -> make.arrayNode();
            case 13 -> make.objectNode();
            case 14 -> make.arrayNode().add(old).add(old);
            default -> make.objectNode().set("a", old);
        };
    }

    private static String text(Random random) {
        List<String> texts = List.of(
                "",
                "..",
                "/",
                "a\nb",
                "\u0000",
                "\ud800",
                "F32",
                "I64",
                "(",
                "\\Q",
                "[a-",
                "(?<layer>x)",
                "a|b",
                "default",
                "yarn",
                "llama3",
                "gpt2",
                "qwen2",
                "all-linear",
                "x".repeat(5000));
        return texts.get(random.nextInt(texts.size()));
    }
}
