package io.github.rankine.engine.kernels;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;

/**
 * Threads that share the tasks of one loop at a time; the caller is one of them. Which thread runs a task is a matter of
 * luck, so a task must depend on its index alone: then results do not depend on the number of threads.
 *
 * <p>Each thread begins with a stretch of its own, at the same share of every loop, and helps the others when that is done: loops that cut
 * the same rows find them in the cache of the core that has worked on them before. Cores may be far apart.
 */
final class Workers implements AutoCloseable {
    /** One iteration of a parallel loop. */
    @FunctionalInterface
    interface Task {
        /**
         * @param index  the iteration
         * @param worker the thread, from 0: a key to scratch memory
         */
        void run(int index, int worker);
    }

    /**
     * How long a thread without work stays awake: long enough to bridge what one thread does alone between two loops, for to wake another one
     * takes fifty microseconds on a virtual machine; short enough to leave an idle machine idle.
     */
    private static final long AWAKE_NANOS = 1_000_000;
    /** Times that the caller looks for the others' end before it lets other threads run. */
    private static final int SPINS = 4000;

    private final Thread[] threads;
    /** 1 for a thread that sleeps, or is about to. */
    private final AtomicIntegerArray parked;

    private volatile Job job;
    private volatile boolean closed;

    Workers(int count) {
        if (count < 1) {
            throw new IllegalArgumentException(count + " threads");
        }
        threads = new Thread[count - 1];
        parked = new AtomicIntegerArray(count);
        for (int i = 0; i < threads.length; i++) {
            int worker = i + 1;
            threads[i] = Thread.ofPlatform()
                    .daemon()
                    .name("rankine-worker-" + worker)
                    .start(() -> work(worker));
        }
    }

    int count() {
        return threads.length + 1;
    }

    /** Runs the task for every index below {@code tasks}, returns when all are done, and throws what one of them threw. */
    void run(int tasks, Task task) {
        if (tasks <= 1 || threads.length == 0) {
            for (int i = 0; i < tasks; i++) {
                task.run(i, 0);
            }
            return;
        }
        Job next = new Job(tasks, task, count());
        job = next;
        for (int i = 0; i < Math.min(tasks - 1, threads.length); i++) {
            if (parked.get(i) == 1) {
                LockSupport.unpark(threads[i]);
            }
        }
        next.help(0);
        next.await();
    }

    private void work(int worker) {
        Job last = null;
        long idleSince = System.nanoTime();
        while (!closed) {
            Job current = job;
            if (current != last) {
                last = current;
                current.help(worker);
                idleSince = System.nanoTime();
            } else if (System.nanoTime() - idleSince < AWAKE_NANOS) {
                Thread.onSpinWait();
            } else {
                // Whoever publishes a job after the flag is set sees it; a job from before is seen here.
                parked.set(worker - 1, 1);
                if (job == last && !closed) {
                    LockSupport.park(this);
                }
                parked.set(worker - 1, 0);
            }
        }
    }

    @Override
    public void close() {
        closed = true;
        for (Thread thread : threads) {
            LockSupport.unpark(thread);
        }
    }

    private static final class Job {
        /** Counters lie a cache line apart. */
        private static final int PADDING = 16;

        private final int tasks;
        private final Task task;
        private final int stretches;
        /** The next task of each thread's stretch. */
        private final AtomicIntegerArray next;

        private final AtomicInteger done = new AtomicInteger();
        private volatile Throwable failure;

        Job(int tasks, Task task, int stretches) {
            this.tasks = tasks;
            this.task = task;
            this.stretches = stretches;
            next = new AtomicIntegerArray((stretches + 1) * PADDING);
            for (int i = 0; i < stretches; i++) {
                next.setPlain((i + 1) * PADDING, start(i));
            }
        }

        private int start(int stretch) {
            return (int) ((long) tasks * stretch / stretches);
        }

        void help(int worker) {
            int count = 0;
            for (int i = 0; i < stretches; i++) {
                count += work((worker + i) % stretches, worker);
            }
            // Once for all: the threads would hand this counter's cache line to and fro.
            if (count > 0) {
                done.addAndGet(count);
            }
        }

        /** Returns how many tasks of the stretch it ran. */
        private int work(int stretch, int worker) {
            int end = start(stretch + 1);
            int counter = (stretch + 1) * PADDING;
            int count = 0;
            if (next.get(counter) >= end) {
                return count;
            }
            for (int i = next.getAndIncrement(counter); i < end; i = next.getAndIncrement(counter)) {
                count++;
                try {
                    task.run(i, worker);
                } catch (RuntimeException | Error e) {
                    failure = e;
                }
            }
            return count;
        }

        void await() {
            for (int spins = 0; done.get() < tasks; spins++) {
                // On a busy machine the others may not be running: let them.
                if (spins < SPINS) {
                    Thread.onSpinWait();
                } else {
                    Thread.yield();
                }
            }
            if (failure instanceof Error error) {
                throw error;
            } else if (failure instanceof RuntimeException exception) {
                throw exception;
            }
        }
    }
}
