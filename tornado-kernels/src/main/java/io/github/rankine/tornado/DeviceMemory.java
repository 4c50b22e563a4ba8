package io.github.rankine.tornado;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;

/** Where on the device the memory of tensors and weights is. */
final class DeviceMemory {
    static final int CHUNK = 1 << 20;
    private static final ValueLayout.OfFloat FLOATS =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Device device;
    private Program program;
    private Ranges floats;
    private WeightCopies copies;
    /** What lives on the device, by the host's address. */
    private final TreeMap<Long, Region> regions = new TreeMap<>();

    private long visiting;
    private boolean closed;

    /** Memory of the host and where the device has it. */
    private record Region(MemorySegment host, int place) {
        static Region of(MemorySegment host, int place) {
            // A view that outlives the host's: what is released is still to be found.
            return new Region(MemorySegment.ofAddress(host.address()).reinterpret(host.byteSize()), place);
        }

        long bytes() {
            return host.byteSize();
        }
    }

    DeviceMemory(Device device, Program program) {
        moveTo(device, program);
    }

    /** Brings what lives on the device to the host, for {@link #moveTo} another. */
    void leave() {
        program.run();
        for (Region region : regions.values()) {
            long count = region.bytes() / 4;
            for (long first = 0; first < count; first += CHUNK) {
                long length = Math.min(CHUNK, count - first);
                MemorySegment part = region.host().asSlice(4 * first, 4 * length);
                download((int) (region.place() + first), Tensor.of(part, 1, length));
            }
        }
    }

    /** Has a device that holds nothing take over what lives on the last one. */
    void moveTo(Device next, Program nextProgram) {
        device = next;
        program = nextProgram;
        floats = new Ranges("tensors", next.arrays().floats().getSize());
        copies = new WeightCopies(next, nextProgram, floats);
        regions.replaceAll((address, region) -> {
            int place = floats.take(elements(region.bytes()));
            upload(region.host(), place);
            return new Region(region.host(), place);
        });
    }

    /** Memory that lives on the device until {@code arena} is closed, whatever it holds. */
    MemorySegment allocate(Arena arena, long bytes) {
        int place = floats.take(elements(bytes));
        long[] address = new long[1];
        MemorySegment host = LazyMemory.allocate(arena, 4 * elements(bytes), () -> release(address[0]));
        address[0] = host.address();
        regions.put(host.address(), Region.of(host, place));
        return host;
    }

    /** Has memory of the host live on the device until {@code arena} is closed; what does already stays as it is. */
    void adopt(MemorySegment host, Arena arena) {
        if (host.byteSize() == 0 || find(host).isPresent()) {
            return;
        }
        copies.forget(host);
        int place = floats.take(elements(host.byteSize()));
        upload(host, place);
        long address = host.address();
        regions.put(address, Region.of(host, place));
        // A view of it whose end is the arena's.
        MemorySegment.ofAddress(address).reinterpret(host.byteSize(), arena, gone -> release(address));
    }

    private static long elements(long bytes) {
        return Math.max(1, Math.ceilDiv(bytes, 4L));
    }

    private void release(long address) {
        if (closed) {
            return;
        }
        // Kernels that wait may be working on it.
        program.run();
        Region region = regions.remove(address);
        floats.give(region.place(), elements(region.bytes()));
    }

    /** Where memory of the host is on the device, if it lives there. */
    OptionalInt find(MemorySegment host) {
        Map.Entry<Long, Region> before = regions.floorEntry(host.address());
        if (before == null) {
            return OptionalInt.empty();
        }
        long from = host.address() - before.getKey();
        Region region = before.getValue();
        return from + host.byteSize() <= region.bytes() && from < region.bytes()
                ? OptionalInt.of((int) (region.place() + from / 4))
                : OptionalInt.empty();
    }

    /** What lives there. */
    DeviceRoom livingRoom() {
        return new DeviceRoom(
                regions.values().stream()
                        .mapToLong(region -> elements(region.bytes()))
                        .sum(),
                0);
    }

    /** Brings what kernels computed in a tensor that lives there to the host. */
    void fetch(Tensor tensor) {
        find(tensor.segment()).ifPresent(place -> {
            program.run();
            download(place, tensor);
        });
    }

    /** Takes what the host wrote for what is there. */
    void wrote(MemorySegment host) {
        OptionalInt place = find(host);
        if (place.isPresent()) {
            program.run();
            upload(host, place.getAsInt());
        } else {
            copies.forget(host);
        }
    }

    /** Room for a call. */
    int take(long count) {
        visiting += count;
        return floats.take(count);
    }

    /** Whether what calls brought with them takes so much room that they should run. */
    boolean isCrowded() {
        return visiting > floats.capacity() / 8;
    }

    /** Ends a call's use of that room; no kernel that waits may need it. */
    void give(int place, long count) {
        visiting -= count;
        floats.give(place, count);
    }

    /** Brings a tensor's memory, gaps among it, to the device. */
    void upload(MemorySegment host, int place) {
        long count = host.byteSize() / 4;
        float[] chunk = new float[(int) Math.min(CHUNK, count)];
        for (long first = 0; first < count; first += CHUNK) {
            int length = (int) Math.min(CHUNK, count - first);
            MemorySegment.copy(host, FLOATS, 4 * first, chunk, 0, length);
            device.write(device.arrays().floats(), (int) (place + first), chunk, length);
        }
    }

    /** Brings a tensor's elements, and not the gaps between its rows, to the host. */
    void download(int place, Tensor tensor) {
        int rows = tensor.stride() == 0 ? 1 : (int) Math.max(1, Math.min(tensor.rows(), CHUNK / tensor.stride()));
        for (long first = 0; first < tensor.rows(); first += rows) {
            long count = Math.min(rows, tensor.rows() - first);
            int span = (int) ((count - 1) * tensor.stride() + tensor.cols());
            float[] values = device.readFloats((int) (place + first * tensor.stride()), span);
            for (long row = 0; row < count; row++) {
                MemorySegment.copy(
                        values,
                        (int) (row * tensor.stride()),
                        tensor.segment(),
                        ValueLayout.JAVA_FLOAT_UNALIGNED,
                        tensor.offset(first + row, 0),
                        (int) tensor.cols());
            }
        }
    }

    /** A weight's parameters; a frozen one that does not live there is copied the first time it is used. */
    int[] weight(Weight weight) {
        if (weight.size() > Integer.MAX_VALUE) {
            throw new RankineException(
                    "a weight of " + weight.size() + " elements is too large for --kernels tornado, which takes "
                            + Integer.MAX_VALUE + ": use --kernels vector");
        }
        OptionalInt resident = weight instanceof DenseWeight dense && dense.type() == DType.F32
                ? find(dense.data().asSlice(0, dense.bytes()))
                : OptionalInt.empty();
        if (resident.isPresent()) {
            return new int[] {Stored.F32, resident.getAsInt(), 0, 1};
        }
        return copies.of(weight);
    }

    /** The copies of weights that do not live there. */
    WeightCopies copies() {
        return copies;
    }

    /** Lets what outlives the device end without it. */
    void close() {
        closed = true;
    }
}
