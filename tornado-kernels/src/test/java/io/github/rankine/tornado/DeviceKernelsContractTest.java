package io.github.rankine.tornado;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.reference.KernelsContract;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/** Holds the same source, as TornadoVM compiled it for a device, to the contract; for Java started with TornadoVM. */
@EnabledIfSystemProperty(named = "tornado.load.runtime.implementation", matches = ".+")
class DeviceKernelsContractTest extends KernelsContract {
    private static final int MIB = 128;

    DeviceKernelsContractTest() {
        super("tornado");
    }

    @Override
    protected Kernels create(int threads) {
        String device = System.getProperty(TornadoKernelsProvider.DEVICE, "0:0");
        return new TornadoKernels("tornado", Devices.named(device, MIB), QuantizedType.nf4Values());
    }
}
