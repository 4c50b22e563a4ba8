package io.github.rankine.models.files;

import io.github.rankine.engine.RankineException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * Writes a file beside its place ({@code NAME.tmp}), forces it to the disk and moves it into place: whatever happens in
 * between, what was there before stays whole. The temporary name is fixed, so that what a killed process left behind is
 * overwritten by the next one.
 */
public final class AtomicFile {
    /** Bytes handed to the system at a time: it copies heap memory of that size into a native buffer. */
    private static final int CHUNK = 1 << 20;

    private AtomicFile() {}

    /** What goes into the file. */
    @FunctionalInterface
    public interface Body {
        void writeTo(WritableByteChannel out) throws IOException;
    }

    /**
     * Replaces {@code file} by what {@code body} writes.
     *
     * @throws RankineException when it cannot be written; {@code file} is then as it was
     */
    public static void write(Path file, Body body) {
        // A move would put a file in the place of a device or an empty folder.
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            throw new RankineException(file + ": exists and is not a file; name another");
        }
        Path temporary = file.resolveSibling(file.getFileName() + ".tmp");
        try {
            try (FileChannel channel = FileChannel.open(
                    temporary,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.WRITE)) {
                body.writeTo(channel);
                channel.force(true);
            }
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            delete(temporary);
            throw new RankineException(
                    file + ": cannot be written (" + reason(e) + "); what was there is unchanged", e);
        } catch (RuntimeException | Error e) {
            delete(temporary);
            throw e;
        }
        forceFolder(file.toAbsolutePath().getParent());
    }

    /** Replaces {@code file} by {@code text} in UTF-8. */
    public static void writeText(Path file, String text) {
        write(file, out -> writeFully(out, ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8))));
    }

    /**
     * Makes a folder and those above it, where they do not exist yet.
     *
     * @throws RankineException when it cannot be made, or a file stands in its place
     */
    public static void createFolder(Path folder) {
        try {
            Files.createDirectories(folder);
        } catch (FileAlreadyExistsException e) {
            throw new RankineException(folder + ": a file of that name exists; name another folder", e);
        } catch (IOException e) {
            throw new RankineException(folder + ": cannot be made (" + reason(e) + ")", e);
        }
    }

    /** Writes all of {@code bytes}. */
    public static void writeFully(WritableByteChannel out, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            out.write(bytes);
        }
    }

    /** Writes all of {@code bytes}, of any size. */
    public static void writeFully(WritableByteChannel out, MemorySegment bytes) throws IOException {
        for (long start = 0; start < bytes.byteSize(); start += CHUNK) {
            long length = Math.min(CHUNK, bytes.byteSize() - start);
            writeFully(out, bytes.asSlice(start, length).asByteBuffer());
        }
    }

    private static String reason(IOException e) {
        return switch (e) {
            case NoSuchFileException _ -> "there is no such folder";
            case AccessDeniedException _ -> "permission denied";
            default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        };
    }

    private static void delete(Path temporary) {
        try {
            Files.deleteIfExists(temporary);
        } catch (IOException _) {
            // The failure that led here is the one to report; the next write overwrites this name.
        }
    }

    /** Makes the move itself last through a power cut, where the system can: Windows cannot open a folder. */
    private static void forceFolder(Path folder) {
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        } catch (IOException _) {
            // The file is in place either way.
        }
    }
}
