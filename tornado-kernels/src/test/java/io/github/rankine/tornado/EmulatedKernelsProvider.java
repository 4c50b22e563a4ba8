package io.github.rankine.tornado;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsProvider;
import io.github.rankine.engine.tensor.QuantizedType;
import java.util.Optional;

/** The kernels as plain Java, by name. */
public final class EmulatedKernelsProvider implements KernelsProvider {
    @Override
    public String name() {
        return "emulated";
    }

    @Override
    public int priority() {
        return -20;
    }

    @Override
    public Optional<String> unavailable() {
        return Optional.empty();
    }

    @Override
    public Kernels create(int threads) {
        return new TornadoKernels(name(), EmulatedDevice.source(128L << 20), QuantizedType.nf4Values());
    }
}
