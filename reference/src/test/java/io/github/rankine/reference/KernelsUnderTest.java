package io.github.rankine.reference;

import io.github.rankine.engine.kernels.Kernels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;

/** What the parts of the contract share: the kernels, and how a case is tried with them. */
interface KernelsUnderTest {
    /** The same provider's kernels for several numbers of threads. */
    List<Kernels> kernels();

    /** Room for the operands of one trial. */
    MemorySegment slab();

    /**
     * A test in every layout of memory that {@code body}'s call meets its expectations, touches nothing else, and gives the
     * same bits for any number of threads.
     */
    default Stream<DynamicTest> trials(String name, Consumer<Trial> body) {
        return Stream.of(Trial.Layout.values()).map(layout -> trial(name, layout, body));
    }

    /** As {@link #trials}, in one layout. */
    default DynamicTest trial(String name, Trial.Layout layout, Consumer<Trial> body) {
        return DynamicTest.dynamicTest(name + ", " + layout, () -> {
            Trial.Results first = null;
            for (Kernels kernels : kernels()) {
                kernels.wrote(slab());
                try (Arena arena = Arena.ofConfined()) {
                    Trial trial = new Trial(kernels, SegmentAllocator.slicingAllocator(slab()), arena, layout);
                    body.accept(trial);
                    Trial.Results results = trial.finish();
                    if (first != null) {
                        results.assertSameBits(first);
                    }
                    first = results;
                }
            }
        });
    }
}
