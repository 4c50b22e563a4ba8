package io.github.rankine.reference;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsProvider;
import java.util.Optional;

/** Provides {@link ReferenceKernels}: they work everywhere and are the last that anybody wants. */
public final class ReferenceKernelsProvider implements KernelsProvider {
    @Override
    public String name() {
        return ReferenceKernels.NAME;
    }

    @Override
    public int priority() {
        return 0;
    }

    @Override
    public Optional<String> unavailable() {
        return Optional.empty();
    }

    /** One thread does all the work, whatever {@code threads} is. */
    @Override
    public Kernels create(int threads) {
        return new ReferenceKernels();
    }
}
