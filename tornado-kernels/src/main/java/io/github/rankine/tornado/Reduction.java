package io.github.rankine.tornado;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;

/**
 * Sums and maxima over the threads of a group, in one order. Each has local memory of its own: TornadoVM takes the index of a local array that was
 * handed to a method for a count of bytes.
 */
final class Reduction {
    /** Threads of a group of every kernel here. */
    static final int GROUP = 64;

    private Reduction() {}

    /** The sum of each thread's {@code value}, for every thread. */
    static float sum(KernelContext context, float value) {
        float[] part = context.allocateFloatLocalArray(GROUP);
        int thread = context.localIdx;
        part[thread] = value;
        context.localBarrier();
        for (int half = GROUP / 2; half > 0; half /= 2) {
            if (thread < half) {
                part[thread] += part[thread + half];
            }
            context.localBarrier();
        }
        float sum = part[0];
        context.localBarrier();
        return sum;
    }

    static float max(KernelContext context, float value) {
        float[] part = context.allocateFloatLocalArray(GROUP);
        int thread = context.localIdx;
        part[thread] = value;
        context.localBarrier();
        for (int half = GROUP / 2; half > 0; half /= 2) {
            if (thread < half) {
                part[thread] = TornadoMath.max(part[thread], part[thread + half]);
            }
            context.localBarrier();
        }
        float max = part[0];
        context.localBarrier();
        return max;
    }
}
