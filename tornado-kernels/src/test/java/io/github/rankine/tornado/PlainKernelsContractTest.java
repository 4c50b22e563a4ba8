package io.github.rankine.tornado;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.reference.KernelsContract;

/** Holds the kernels' source, run as plain Java, to the contract. */
class PlainKernelsContractTest extends KernelsContract {
    PlainKernelsContractTest() {
        super("tornado");
    }

    @Override
    protected Kernels create(int threads) {
        return new TornadoKernels("tornado", EmulatedDevice.source(64L << 20), QuantizedType.nf4Values());
    }
}
