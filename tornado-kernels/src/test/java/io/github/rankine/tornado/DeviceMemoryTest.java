package io.github.rankine.tornado;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.MemoryNeeds;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What becomes of a device's memory when more is needed than it was opened for. */
class DeviceMemoryTest {
    private static final long MIB = 1 << 20;

    /** Sizes of the devices that were opened. */
    private final List<Integer> opened = new ArrayList<>();

    private TornadoKernels kernels(long memory) {
        DeviceSource emulated = EmulatedDevice.source(memory);
        DeviceSource counted = new DeviceSource() {
            @Override
            public Device open(int floats, int words) {
                opened.add(floats);
                return emulated.open(floats, words);
            }

            @Override
            public long memory() {
                return memory;
            }

            @Override
            public long unplanned() {
                return memory;
            }

            @Override
            public String allowance() {
                return "it has";
            }
        };
        return new TornadoKernels("emulated", counted, QuantizedType.nf4Values());
    }

    @Test
    void aLargerDeviceTakesOverWhatLivesOnTheLast() {
        try (Arena arena = Arena.ofConfined();
                TornadoKernels kernels = kernels(256 * MIB)) {
            kernels.expect(new MemoryNeeds(List.of(), MIB));
            Tensor allocated = Tensor.of(kernels.allocate(arena, 12), 1, 3);
            Tensor adopted = Tensor.copyOf(arena, 1, 3, 1, 2, 3);
            kernels.adopt(adopted.segment(), arena);
            kernels.scale(adopted, 2, allocated);
            kernels.expect(new MemoryNeeds(List.of(), 64 * MIB));
            Tensor large = Tensor.of(kernels.allocate(arena, MIB), 4, MIB / 16);
            kernels.add(adopted, allocated);
            kernels.fetch(allocated);
            kernels.fetch(large.rows(3, 1));
            assertThat(allocated.toArray()).containsExactly(3, 6, 9);
            assertThat(large.rows(3, 1).toArray()).containsOnly(0f);
            assertThat(opened).hasSize(2);
        }
    }

    @Test
    void whatIsNeededAgainNeedsNoOtherDevice() {
        try (TornadoKernels kernels = kernels(256 * MIB)) {
            for (int longer = 0; longer < 3; longer++) {
                try (Arena arena = Arena.ofConfined()) {
                    kernels.expect(new MemoryNeeds(List.of(), MIB + longer));
                    kernels.allocate(arena, MIB + longer);
                }
            }
        }
        assertThat(opened).hasSize(1);
    }

    @Test
    void moreThanThereIsIsRefusedAndWhatLivesThereStays() {
        try (Arena arena = Arena.ofConfined();
                TornadoKernels kernels = kernels(64 * MIB)) {
            kernels.expect(new MemoryNeeds(List.of(), MIB));
            Tensor tensor = Tensor.copyOf(arena, 1, 3, 1, 2, 3);
            kernels.adopt(tensor.segment(), arena);
            kernels.scale(tensor, 2, tensor);
            assertThatThrownBy(() -> kernels.expect(new MemoryNeeds(List.of(), 64 * MIB)))
                    .isInstanceOf(RankineException.class)
                    .hasMessageContaining("it has 64 MiB");
            kernels.fetch(tensor);
            assertThat(tensor.toArray()).containsExactly(2, 4, 6);
        }
    }

    @Test
    void weightsOfAnotherModelMakeRoom() {
        try (Arena arena = Arena.ofConfined();
                TornadoKernels kernels = kernels(64 * MIB)) {
            DenseWeight first = weight(arena, 1);
            DenseWeight second = weight(arena, 2);
            for (DenseWeight weight : List.of(first, second, first)) {
                kernels.expect(new MemoryNeeds(List.of(weight), MIB));
                Tensor row = Tensor.allocate(arena, 1, weight.cols());
                kernels.embedding(new int[] {7}, weight, row, false);
                assertThat(row.get(0, 3)).isEqualTo(weight.get(7, 3));
            }
        }
        assertThat(opened).hasSize(1);
    }

    private static DenseWeight weight(Arena arena, float value) {
        DenseWeight weight = new DenseWeight(DType.BF16, 1024, 4096, arena.allocate(2L * 1024 * 4096));
        DType.BF16.write(weight.data(), 7 * 4096 + 3, value);
        return weight;
    }
}
