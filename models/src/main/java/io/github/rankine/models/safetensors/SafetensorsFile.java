package io.github.rankine.models.safetensors;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Collection;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * One safetensors file, mapped into memory: eight bytes of header length (little-endian), a JSON header, the tensors.
 * Opening reads the header alone; the system loads tensors as they are touched, and closing unmaps them.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">the format</a>
 */
public final class SafetensorsFile implements AutoCloseable {
    /** The format's own limit for a header, in bytes. */
    static final long MAX_HEADER = 100_000_000;

    private static final int PREFIX = Long.BYTES;
    private static final ValueLayout.OfLong LENGTH = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final byte[] GIT_LFS_POINTER = "version https://git-lfs".getBytes(StandardCharsets.US_ASCII);

    private final Path path;
    private final Arena arena;
    private final SafetensorsHeader header;
    private final long headerBytes;
    private final MemorySegment data;

    private SafetensorsFile(Path path, Arena arena, SafetensorsHeader header, long headerBytes, MemorySegment data) {
        this.path = path;
        this.arena = arena;
        this.header = header;
        this.headerBytes = headerBytes;
        this.data = data;
    }

    /**
     * Maps a file and checks its header.
     *
     * @throws RankineException when it cannot be read or is damaged
     */
    public static SafetensorsFile open(Path path) {
        if (!Files.isRegularFile(path)) {
            throw new RankineException(path + (Files.exists(path) ? ": not a file" : ": no such file"));
        }
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            MemorySegment file = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            String json = headerText(file, path.toString());
            long headerBytes = file.get(LENGTH, 0);
            MemorySegment data = file.asSlice(PREFIX + headerBytes);
            return new SafetensorsFile(
                    path, arena, SafetensorsHeader.parse(json, data.byteSize(), path.toString()), headerBytes, data);
        } catch (IOException e) {
            arena.close();
            throw new RankineException(path + ": cannot be read (" + e.getMessage() + ")", e);
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    private static String headerText(MemorySegment file, String name) {
        if (file.byteSize() < PREFIX) {
            throw damaged(name, file.byteSize() + " bytes, too few for a header length");
        }
        if (startsWith(file, GIT_LFS_POINTER)) {
            throw new RankineException(name + ": a Git LFS pointer, not the file itself; fetch it with: git lfs pull");
        }
        long length = file.get(LENGTH, 0);
        if (length < 0 || length > MAX_HEADER) {
            throw damaged(
                    name,
                    "header length " + Long.toUnsignedString(length) + ", more than the format's limit of "
                            + MAX_HEADER);
        }
        if (length > file.byteSize() - PREFIX) {
            throw damaged(name, "header length " + length + " runs past the file's end, " + file.byteSize() + " bytes");
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(file.asSlice(PREFIX, length).asByteBuffer())
                    .toString();
        } catch (CharacterCodingException _) {
            throw damaged(name, "the header is not UTF-8");
        }
    }

    private static boolean startsWith(MemorySegment file, byte[] start) {
        return file.byteSize() >= start.length
                && Arrays.equals(file.asSlice(0, start.length).toArray(ValueLayout.JAVA_BYTE), start);
    }

    /** The complaint about a file whose bytes are not what the format says. */
    static RankineException damaged(String file, String complaint) {
        return new RankineException(
                file + ": damaged or not safetensors: " + complaint + "; copy or download it again");
    }

    /** The file that is mapped. */
    public Path path() {
        return path;
    }

    /** The tensors, in the order of their bytes. */
    public Collection<TensorInfo> tensors() {
        return header.tensors().values();
    }

    /** The entries of {@code __metadata__}; empty when there is none. */
    public Map<String, String> metadata() {
        return header.metadata();
    }

    /** Whether there is a tensor of that name. */
    public boolean has(String name) {
        return header.tensors().containsKey(name);
    }

    /**
     * What the header says of a tensor.
     *
     * @throws RankineException when there is none of that name
     */
    public TensorInfo info(String name) {
        TensorInfo info = header.tensors().get(name);
        if (info == null) {
            throw new RankineException(path + ": no tensor '" + name + "'; it holds "
                    + (header.tensors().isEmpty()
                            ? "none"
                            : header.tensors().size() + ", such as "
                                    + header.tensors().keySet().stream()
                                            .limit(3)
                                            .collect(Collectors.joining(", "))));
        }
        return info;
    }

    /** The bytes of a tensor in the mapping: read-only, little-endian, possibly unaligned, valid until closed. */
    public MemorySegment bytes(String name) {
        TensorInfo info = info(name);
        return data.asSlice(info.begin(), info.bytes());
    }

    /**
     * A tensor in a mapping of its own, which goes with {@code arena} and takes what was read of it out of the process's memory.
     *
     * @throws RankineException when the file cannot be read again
     */
    public DenseWeight mapped(String name, Arena arena) {
        DenseWeight weight = weight(name);
        long start = PREFIX + headerBytes + info(name).begin();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            return new DenseWeight(
                    weight.type(),
                    weight.rows(),
                    weight.cols(),
                    channel.map(FileChannel.MapMode.READ_ONLY, start, weight.bytes(), arena));
        } catch (IOException e) {
            throw new RankineException(path + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    /**
     * A tensor as a weight over the mapping, valid until this file is closed: a vector is one row, a scalar 1 × 1.
     *
     * @throws RankineException when it has more than two dimensions, or a type that the engine does not compute with
     */
    public DenseWeight weight(String name) {
        TensorInfo info = info(name);
        if (info.shape().size() > 2) {
            throw new RankineException(
                    path + ": tensor '" + name + "': shape " + info.shape() + ", expected a matrix or a vector");
        }
        DType type = info.type()
                .engineType()
                .orElseThrow(() -> new RankineException(path + ": tensor '" + name + "': type " + info.type()
                        + ", expected "
                        + Arrays.stream(DType.values()).map(Enum::name).collect(Collectors.joining(", "))
                        + "; convert the checkpoint to one of these"));
        int dimensions = info.shape().size();
        long rows = dimensions == 2 ? info.shape().getFirst() : 1;
        long cols = dimensions == 0 ? 1 : info.shape().getLast();
        return new DenseWeight(type, rows, cols, bytes(name));
    }

    @Override
    public void close() {
        arena.close();
    }
}
