package io.github.rankine.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/** Whether compiled code makes objects of vectors: it allocates then, and takes several times as long. */
final class Allocation {
    private static final int CALLS = 500;

    private Allocation() {}

    /** Repeats the calls until one of them allocates less than {@code bytes} on average, as it will once all is compiled well; a test's time limit ends it if not. */
    static void fallsBelow(long bytes, Runnable call) {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long allocated;
        do {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < CALLS; i++) {
                call.run();
            }
            allocated = threads.getCurrentThreadAllocatedBytes() - before;
        } while (allocated >= CALLS * bytes && !Thread.currentThread().isInterrupted());
        assertThat(allocated / CALLS).isLessThan(bytes);
    }
}
