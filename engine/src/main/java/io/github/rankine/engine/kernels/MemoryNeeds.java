package io.github.rankine.engine.kernels;

import io.github.rankine.engine.tensor.Weight;
import java.util.List;

/**
 * What kernels will work on at once.
 *
 * @param weights     frozen ones
 * @param tensorBytes bytes of tensors that {@link Kernels#allocate} makes or {@link Kernels#adopt} takes, and of what else is read beside
 *     the weights
 */
public record MemoryNeeds(List<Weight> weights, long tensorBytes) {}
