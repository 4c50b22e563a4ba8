package io.github.rankine.tornado;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.reference.KernelsContract;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/** Holds the same source, as TornadoVM compiled it for a device, to the contract; for Java started with TornadoVM. */
@EnabledIfSystemProperty(named = "tornado.load.runtime.implementation", matches = ".+")
class DeviceKernelsContractTest extends KernelsContract {
    private static final int ELEMENTS = 16 << 20;

    DeviceKernelsContractTest() {
        super("tornado");
    }

    @Override
    protected Kernels create(int threads) {
        // The suite holds three of them at a time.
        System.setProperty(Devices.MEMORY, "2GB");
        Device device = Devices.open(System.getProperty(TornadoKernelsProvider.DEVICE, "0:0"), ELEMENTS, ELEMENTS);
        return new TornadoKernels("tornado", device, QuantizedType.nf4Values());
    }
}
