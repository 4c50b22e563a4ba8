package io.github.rankine.tornado;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;

/** Sums and maxima over the threads of a group, in one order. */
final class Reduction {
    /** Threads of a group of every kernel here. */
    static final int GROUP = 64;

    private Reduction() {}

    /** The sum of each thread's {@code value}, for every thread; {@code part} has an element a thread. */
    static float sum(KernelContext context, float[] part, float value) {
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

    static float max(KernelContext context, float[] part, float value) {
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
