package io.github.rankine.tornado;

import io.github.rankine.engine.kernels.MemoryNeeds;
import io.github.rankine.engine.tensor.BlockScales;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.tensor.QuantizedWeight;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** A device's copies of weights, made when a kernel first reads them. */
final class WeightCopies {
    private final Device device;
    private final Program program;
    private final Ranges floats;
    private final Ranges words;
    private final Map<Key, Copy> copies = new HashMap<>();

    /** A weight's memory; another arena's at the same address is another. */
    private record Key(long address, long bytes, MemorySegment.Scope scope) {
        static Key of(Weight weight) {
            MemorySegment memory = weight.segments().getFirst();
            return new Key(memory.address(), weight.bytes(), memory.scope());
        }
    }

    /** A copy of a weight: its parameters as {@link Stored} has them, and what it takes. */
    private record Copy(int[] parameters, int floatsAt, long floatsTaken, int wordsAt, long wordsTaken) {}

    WeightCopies(Device device, Program program, Ranges floats) {
        this.device = device;
        this.program = program;
        this.floats = floats;
        words = new Ranges("weights", device.arrays().words().getSize());
    }

    /** A weight's parameters. */
    int[] of(Weight weight) {
        return copies.computeIfAbsent(Key.of(weight), key -> copy(weight)).parameters;
    }

    /** Forgets copies of other weights where what is needed would not find room beside them. */
    void makeRoomFor(MemoryNeeds needs) {
        Set<Key> wanted = needs.weights().stream().map(Key::of).collect(Collectors.toSet());
        DeviceRoom missing = DeviceRoom.of(new MemoryNeeds(
                needs.weights().stream()
                        .filter(weight -> !copies.containsKey(Key.of(weight)))
                        .toList(),
                needs.tensorBytes()));
        if (missing.floats() > floats.free() || missing.words() > words.free()) {
            forget(key -> !wanted.contains(key));
        }
    }

    /** Forgets copies of weights in memory that was written. */
    void forget(MemorySegment memory) {
        forget(key -> key.address < memory.address() + memory.byteSize() && memory.address() < key.address + key.bytes);
    }

    /** Forgets copies of weights whose memory is gone. */
    void forgetGone() {
        forget(key -> !key.scope.isAlive());
    }

    private void forget(Predicate<Key> which) {
        List<Key> keys = copies.keySet().stream().filter(which).toList();
        if (!keys.isEmpty()) {
            // Kernels that wait may read them.
            program.run();
        }
        for (Key key : keys) {
            Copy copy = copies.remove(key);
            floats.give(copy.floatsAt, copy.floatsTaken);
            words.give(copy.wordsAt, copy.wordsTaken);
        }
    }

    private Copy copy(Weight weight) {
        return switch (weight) {
            case DenseWeight dense
            when dense.type() == DType.BF16 -> {
                long count = Math.ceilDiv(2 * dense.size(), 4L);
                int place = words.take(count);
                writeWords(dense.data(), 2 * dense.size(), place);
                yield new Copy(new int[] {Stored.BF16, place, 0, 1}, 0, 0, place, count);
            }
            case DenseWeight dense -> {
                // Half precision is widened: OpenCL devices need not have it.
                int place = floats.take(dense.size());
                float[] chunk = new float[(int) Math.min(DeviceMemory.CHUNK, dense.size())];
                for (long first = 0; first < dense.size(); first += DeviceMemory.CHUNK) {
                    int length = (int) Math.min(DeviceMemory.CHUNK, dense.size() - first);
                    for (int i = 0; i < length; i++) {
                        chunk[i] = dense.at(first + i);
                    }
                    device.write(device.arrays().floats(), (int) (place + first), chunk, length);
                }
                yield new Copy(new int[] {Stored.F32, place, 0, 1}, place, dense.size(), 0, 0);
            }
            case QuantizedWeight quantized -> copy(quantized);
        };
    }

    private Copy copy(QuantizedWeight weight) {
        BlockScales scales = weight.scales();
        int blocks = Math.toIntExact(QuantizedWeight.blocks(weight.size(), weight.blockSize()));
        float[] factors = new float[blocks];
        scales.read(0, blocks, factors);
        int scalesAt = floats.take(blocks);
        for (int first = 0; first < blocks; first += DeviceMemory.CHUNK) {
            int length = Math.min(DeviceMemory.CHUNK, blocks - first);
            float[] chunk = Arrays.copyOfRange(factors, first, first + length);
            device.write(device.arrays().floats(), scalesAt + first, chunk, length);
        }
        long bytes = weight.type().bytes(weight.size());
        long count = Math.ceilDiv(bytes, 4L);
        int place = words.take(count);
        writeWords(weight.codes(), bytes, place);
        int kind = weight.type() == QuantizedType.NF4 ? Stored.NF4 : Stored.INT8;
        int[] parameters = {kind, place, scalesAt, weight.blockSize()};
        return new Copy(parameters, scalesAt, blocks, place, count);
    }

    private void writeWords(MemorySegment memory, long bytes, int place) {
        int[] chunk = new int[(int) Math.min(DeviceMemory.CHUNK, Math.ceilDiv(bytes, 4L))];
        for (long first = 0; first < bytes; first += 4L * DeviceMemory.CHUNK) {
            long length = Math.min(4L * DeviceMemory.CHUNK, bytes - first);
            int whole = Math.toIntExact(Math.ceilDiv(length, 4L));
            chunk[whole - 1] = 0;
            MemorySegment.copy(memory, first, MemorySegment.ofArray(chunk), 0, length);
            device.write(device.arrays().words(), (int) (place + first / 4), chunk, whole);
        }
    }
}
