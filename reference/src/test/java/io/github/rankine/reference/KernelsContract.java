package io.github.rankine.reference;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.engine.kernels.Kernels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * What every provider of {@link Kernels} must do: agree with the double-precision loops to {@link Trial#TOLERANCE} of the
 * output's magnitude in any layout of memory, touch nothing but its outputs, and give the same bits with 1, 2 and 5 threads. A
 * provider's test extends this class.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class KernelsContract
        implements ProductsContract,
                ElementwiseContract,
                NormsContract,
                RotaryContract,
                AttentionContract,
                RowsContract,
                CrossEntropyContract,
                RowLengthsContract,
                OptimiserContract,
                MemoryContract {
    private static final int SLAB_BYTES = 96 << 20;

    private final String name;
    private Arena arena;
    private MemorySegment slab;
    private List<Kernels> kernels;

    /** @param name the provider that is meant to be tested */
    protected KernelsContract(String name) {
        this.name = name;
    }

    /** Makes the kernels under test. */
    protected abstract Kernels create(int threads);

    @BeforeAll
    void open() {
        arena = Arena.ofShared();
        slab = arena.allocate(SLAB_BYTES, 64);
        kernels = IntStream.of(1, 2, 5).mapToObj(this::create).toList();
    }

    @AfterAll
    void close() {
        kernels.forEach(Kernels::close);
        arena.close();
    }

    @Override
    public List<Kernels> kernels() {
        return kernels;
    }

    @Override
    public MemorySegment slab() {
        return slab;
    }

    @Test
    void isTheProviderThatIsMeant() {
        assertThat(kernels).extracting(Kernels::name).containsOnly(name);
    }
}
