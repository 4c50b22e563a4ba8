package io.github.rankine.reference;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;

/** Holds the reference kernels' boundary to the contract: strides, types, accumulation and what must stay untouched. */
class ReferenceKernelsContractTest extends KernelsContract {
    ReferenceKernelsContractTest() {
        super("reference");
    }

    @Override
    protected Kernels create(int threads) {
        return KernelsLookup.named("reference", threads);
    }
}
