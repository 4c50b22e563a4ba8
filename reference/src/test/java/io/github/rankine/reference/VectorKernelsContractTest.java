package io.github.rankine.reference;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/** Holds the SIMD kernels to the contract; the build runs it with the widest vectors, and once more with narrower ones. */
class VectorKernelsContractTest extends KernelsContract {
    /** Set by the build where it asks for vectors of a certain width, in bits. */
    private static final String VECTOR_BITS = "rankine.test.vectorBits";

    VectorKernelsContractTest() {
        super("vector");
    }

    @Override
    protected Kernels create(int threads) {
        return KernelsLookup.named("vector", threads);
    }

    @Test
    @EnabledIfSystemProperty(named = VECTOR_BITS, matches = "\\d+")
    void runsWithTheVectorsThatTheBuildAskedFor() {
        assertThat(FloatVector.SPECIES_PREFERRED.vectorBitSize()).isEqualTo(Integer.getInteger(VECTOR_BITS));
    }
}
