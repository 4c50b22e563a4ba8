package io.github.rankine.tornado;

import io.github.rankine.engine.RankineException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/**
 * Zeroed memory that takes none until it is touched: addresses for what is on the device. TornadoVM wants a host array for each of the
 * device's, and those of tensors and weights are never copied as wholes.
 */
final class LazyMemory {
    private static final MethodHandle CALLOC = function(
            "calloc", FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
    private static final MethodHandle FREE = function("free", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));

    private LazyMemory() {}

    private static MethodHandle function(String name, FunctionDescriptor type) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type);
    }

    /** Room for an array of that many bytes and TornadoVM's header before them. */
    static MemorySegment ofArray(Arena arena, long bytes) {
        return allocate(arena, bytes + TornadoNativeArray.ARRAY_HEADER, () -> {});
    }

    /** Room for {@code bytes} until {@code arena} is closed, which also runs {@code atEnd}. */
    static MemorySegment allocate(Arena arena, long bytes, Runnable atEnd) {
        try {
            MemorySegment memory = (MemorySegment) CALLOC.invokeExact(1L, bytes);
            if (memory.address() == 0) {
                throw new RankineException(
                        "the system has no " + (bytes >> 20) + " MiB of address space: lower --device-memory");
            }
            return memory.reinterpret(bytes, arena, gone -> {
                atEnd.run();
                free(gone);
            });
        } catch (RankineException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private static void free(MemorySegment memory) {
        try {
            FREE.invokeExact(memory);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
