package io.github.rankine.tornado;

import io.github.rankine.engine.RankineException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/**
 * Zeroed memory that takes none until it is touched: TornadoVM wants a host array for each of the device's, and those of tensors and weights
 * are never copied as wholes. It lives as long as the process.
 */
final class LazyMemory {
    private LazyMemory() {}

    /** Room for an array of that many bytes and TornadoVM's header before them. */
    static MemorySegment allocate(long bytes) {
        long size = bytes + TornadoNativeArray.ARRAY_HEADER;
        Linker linker = Linker.nativeLinker();
        MethodHandle calloc = linker.downcallHandle(
                linker.defaultLookup().findOrThrow("calloc"),
                FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
        try {
            MemorySegment memory = (MemorySegment) calloc.invokeExact(1L, size);
            if (memory.address() == 0) {
                throw new RankineException(
                        "the system has no " + (size >> 20) + " MiB of address space: lower --device-memory");
            }
            return memory.reinterpret(size);
        } catch (RankineException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
