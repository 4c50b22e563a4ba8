package io.github.rankine.cli;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LinearShape;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;

/** Works through a model's modules, several at a time, each on one thread, and shows how far it is. */
final class ModuleWork {
    /** What is done with a module. */
    @FunctionalInterface
    interface Task<T> {
        /** @param kernels of one thread, for this module alone while it is worked on */
        T run(LinearShape module, Kernels kernels);
    }

    private ModuleWork() {}

    /** The results in the order of the modules; what the first of them throws is thrown. */
    static <T> List<T> run(List<LinearShape> modules, KernelOptions options, Terminal terminal, Task<T> task) {
        int threads = Math.min(options.threads(), modules.size());
        BlockingQueue<Kernels> idle = new LinkedBlockingQueue<>();
        AtomicInteger done = new AtomicInteger();
        try (Progress progress = Progress.of(terminal, "module", 0, modules.size());
                ExecutorService pool = Executors.newFixedThreadPool(threads)) {
            for (int i = 0; i < threads; i++) {
                idle.add(options.openForOneThread());
            }
            List<Future<T>> futures = new ArrayList<>();
            for (LinearShape module : modules) {
                futures.add(pool.submit(() -> {
                    Kernels kernels = idle.take();
                    try {
                        T result = task.run(module, kernels);
                        synchronized (progress) {
                            int count = done.incrementAndGet();
                            progress.update(count, count == modules.size() ? "the last one" : module.name());
                        }
                        return result;
                    } finally {
                        idle.add(kernels);
                    }
                }));
            }
            return results(futures, pool);
        } finally {
            idle.forEach(Kernels::close);
        }
    }

    private static <T> List<T> results(List<Future<T>> futures, ExecutorService pool) {
        List<T> results = new ArrayList<>();
        try {
            for (Future<T> future : futures) {
                results.add(get(future));
            }
            return results;
        } finally {
            // After a failure, what has not begun need not begin.
            pool.shutdownNow();
        }
    }

    private static <T> T get(Future<T> future) {
        try {
            return future.get();
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case RuntimeException exception -> throw exception;
                case Error error -> throw error;
                default -> throw new IllegalStateException(e.getCause());
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
