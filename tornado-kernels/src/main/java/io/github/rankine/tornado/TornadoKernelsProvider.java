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

    /** System property: how much of the device's memory may be taken, in MiB. */
    static final String MEMORY = "rankine.deviceMemory";

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
        Integer mib = Integer.getInteger(MEMORY);
        if (mib != null && mib < 64) {
            throw new RankineException("--device-memory " + mib + ": must be at least 64 MiB");
        }
        return new TornadoKernels(
                name(), Devices.named(System.getProperty(DEVICE, "0:0"), mib), QuantizedType.nf4Values());
    }
}
