package io.github.rankine.engine.kernels;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/** What a thread allocates. */
final class Allocation {
    private Allocation() {}

    /** Bytes that {@code work} allocates when they are fewer than {@code limit}; repeats it until then, or until its thread is interrupted. */
    static long onceCompiled(long limit, Runnable work) {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long allocated;
        do {
            long before = threads.getCurrentThreadAllocatedBytes();
            work.run();
            allocated = threads.getCurrentThreadAllocatedBytes() - before;
        } while (allocated >= limit && !Thread.currentThread().isInterrupted());
        return allocated;
    }
}
