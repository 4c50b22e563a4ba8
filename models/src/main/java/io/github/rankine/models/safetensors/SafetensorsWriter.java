package io.github.rankine.models.safetensors;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.files.AtomicFile;
import io.github.rankine.models.json.Json;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Writes a safetensors file, one tensor after the other, never holding more than a chunk of one. Tensors stand in the
 * order that the reference implementation gives them: by type, the widest first, then by name, which keeps all aligned.
 */
public final class SafetensorsWriter {
    /** The header is padded so that the data begins at a multiple of this. */
    private static final int ALIGNMENT = 8;

    private SafetensorsWriter() {}

    /** Where a tensor's bytes come from; asked once, when its turn comes. */
    @FunctionalInterface
    public interface Content {
        /** Writes the elements in row-major order, little-endian, exactly as many as the entry says. */
        void writeTo(WritableByteChannel out) throws IOException;

        /** Bytes as they are. */
        static Content of(MemorySegment bytes) {
            return out -> AtomicFile.writeFully(out, bytes);
        }

        /** The elements of {@code weight} as {@code type}: as they are when that is its own, otherwise rounded once. */
        static Content of(Weight weight, DType type) {
            if (weight instanceof DenseWeight dense && dense.type() == type) {
                return of(dense.data().asSlice(0, dense.bytes()));
            }
            return out -> {
                MemorySegment chunk = MemorySegment.ofArray(new byte[1 << 18]);
                long most = chunk.byteSize() / type.bytes();
                for (long start = 0; start < weight.size(); start += most) {
                    long count = Math.min(most, weight.size() - start);
                    for (long i = 0; i < count; i++) {
                        type.write(chunk, i, weight.at(start + i));
                    }
                    AtomicFile.writeFully(out, chunk.asSlice(0, count * type.bytes()));
                }
            };
        }
    }

    /**
     * A tensor to be written.
     *
     * @param name    its name
     * @param type    how an element is stored
     * @param shape   its dimensions
     * @param content its bytes
     */
    public record Entry(String name, StoredType type, List<Long> shape, Content content) {
        public Entry {
            shape = List.copyOf(shape);
        }

        /** A float32 matrix. */
        public static Entry of(String name, Tensor tensor) {
            return of(name, tensor.asWeight(), DType.F32);
        }

        /** A matrix as {@code type}, whatever its own is. */
        public static Entry of(String name, Weight weight, DType type) {
            return new Entry(
                    name, StoredType.of(type), List.of(weight.rows(), weight.cols()), Content.of(weight, type));
        }

        /** A tensor of another file as it is, whatever its type. */
        public static Entry copyOf(TensorInfo info, MemorySegment bytes) {
            return new Entry(info.name(), info.type(), info.shape(), Content.of(bytes));
        }

        private long bytes() {
            return TensorInfo.bytes(type, shape);
        }
    }

    /**
     * Replaces {@code file} by one that holds {@code entries}.
     *
     * @param metadata the strings of {@code __metadata__}; PyTorch's readers ask for {@code format: pt}
     * @throws RankineException when it cannot be written; what was there is then unchanged
     */
    public static void write(Path file, Map<String, String> metadata, List<Entry> entries) {
        List<Entry> ordered = entries.stream()
                .sorted(Comparator.comparing(Entry::type).reversed().thenComparing(Entry::name))
                .toList();
        byte[] header = header(metadata, ordered);
        AtomicFile.write(file, out -> {
            ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            AtomicFile.writeFully(out, length.putLong(header.length).flip());
            AtomicFile.writeFully(out, ByteBuffer.wrap(header));
            for (Entry entry : ordered) {
                CountingChannel counted = new CountingChannel(out);
                entry.content().writeTo(counted);
                if (counted.count != entry.bytes()) {
                    throw new IllegalStateException(
                            entry.name() + ": " + counted.count + " bytes written of " + entry.bytes());
                }
            }
        });
    }

    private static byte[] header(Map<String, String> metadata, List<Entry> entries) {
        ObjectNode header = Json.mapper().createObjectNode();
        if (!metadata.isEmpty()) {
            ObjectNode node = header.putObject(SafetensorsHeader.METADATA);
            metadata.forEach(node::put);
        }
        Set<String> names = new HashSet<>(Set.of(SafetensorsHeader.METADATA));
        long position = 0;
        for (Entry entry : entries) {
            if (!names.add(entry.name())) {
                throw new IllegalArgumentException("two tensors named " + entry.name());
            }
            ObjectNode node = header.putObject(entry.name());
            node.put("dtype", entry.type().name());
            entry.shape().forEach(node.putArray("shape")::add);
            node.putArray("data_offsets").add(position).add(position + entry.bytes());
            position += entry.bytes();
        }
        String json = header.toString();
        int unaligned = json.getBytes(StandardCharsets.UTF_8).length % ALIGNMENT;
        return (json + " ".repeat(unaligned == 0 ? 0 : ALIGNMENT - unaligned)).getBytes(StandardCharsets.UTF_8);
    }

    /** Counts what passes, so that an entry whose content differs from its header never reaches its place. */
    private static final class CountingChannel implements WritableByteChannel {
        private final WritableByteChannel out;
        private long count;

        CountingChannel(WritableByteChannel out) {
            this.out = out;
        }

        @Override
        public int write(ByteBuffer bytes) throws IOException {
            int written = out.write(bytes);
            count += written;
            return written;
        }

        @Override
        public boolean isOpen() {
            return out.isOpen();
        }

        @Override
        public void close() throws IOException {
            out.close();
        }
    }
}
