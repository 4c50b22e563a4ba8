package io.github.rankine.engine.kernels;

import java.util.Optional;

/** Provides {@link VectorKernels} where the JVM was started with the Vector API. */
public final class VectorKernelsProvider implements KernelsProvider {
    @Override
    public String name() {
        return "vector";
    }

    @Override
    public int priority() {
        return 100;
    }

    /** Asks the module layer alone: to touch a class that uses the module would be a NoClassDefFoundError. */
    @Override
    public Optional<String> unavailable() {
        return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent()
                ? Optional.empty()
                : Optional.of("start Java with --add-modules jdk.incubator.vector");
    }

    @Override
    public Kernels create(int threads) {
        return new VectorKernels(threads);
    }
}
