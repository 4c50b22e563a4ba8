package io.github.rankine.engine.kernels;

import java.util.List;
import java.util.Optional;

/** Makes one kind of {@link Kernels}; found by {@link java.util.ServiceLoader}. */
public interface KernelsProvider {
    /** The name that {@code --kernels} takes. */
    String name();

    /** Providers that work are tried from the highest down when none is asked for. */
    int priority();

    /** Why this provider cannot work here, in one line with the remedy; empty when it can. */
    Optional<String> unavailable();

    /** A line for each device that it can run on, beside the CPU; none where it cannot work here. */
    default List<String> devices() {
        return List.of();
    }

    /** Kernels that use {@code threads} threads. */
    Kernels create(int threads);
}
