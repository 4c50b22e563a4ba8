package io.github.rankine.tornado;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsProvider;
import io.github.rankine.engine.tensor.QuantizedType;
import java.util.List;
import java.util.Optional;

/** Offers the kernels on a device of TornadoVM; they run only when asked for by name. */
public final class TornadoKernelsProvider implements KernelsProvider {
    /** System property: the device, as TornadoVM numbers them. */
    static final String DEVICE = "rankine.device";

    /** System property: the device's memory for tensors and weights, in MiB. */
    static final String MEMORY = "rankine.deviceMemory";

    private static final int DEFAULT_MIB = 2048;

    @Override
    public String name() {
        return "tornado";
    }

    @Override
    public int priority() {
        return -10;
    }

    @Override
    public Optional<String> unavailable() {
        if (System.getProperty("tornado.load.runtime.implementation") == null) {
            return Optional.of("start Java with TornadoVM: set TORNADOVM_HOME to its SDK for ./rankine, or use java"
                    + " @$TORNADOVM_HOME/tornado-argfile (docs/gpu.md)");
        }
        return Optional.empty();
    }

    @Override
    public List<String> devices() {
        return Devices.describe();
    }

    @Override
    public Kernels create(int threads) {
        long mib = Integer.getInteger(MEMORY, DEFAULT_MIB);
        if (mib < 64) {
            throw new RankineException("--device-memory " + mib + ": must be at least 64 MiB");
        }
        // Half for tensors, half for weights: each one array, of at most 2³¹ − 1 elements.
        int elements = (int) Math.min(Integer.MAX_VALUE - 64, mib * (1L << 20) / 4 / 2);
        return new TornadoKernels(
                name(), Devices.open(System.getProperty(DEVICE, "0:0"), elements, elements), QuantizedType.nf4Values());
    }
}
