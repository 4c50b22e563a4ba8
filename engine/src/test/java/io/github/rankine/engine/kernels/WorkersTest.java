package io.github.rankine.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WorkersTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5})
    void everyTaskRunsOnceInEachOfManyLoops(int threads) {
        try (Workers workers = new Workers(threads)) {
            for (int tasks = 0; tasks < 300; tasks++) {
                AtomicIntegerArray runs = new AtomicIntegerArray(tasks);
                workers.run(tasks, (index, worker) -> {
                    assertThat(worker).isBetween(0, threads - 1);
                    runs.incrementAndGet(index);
                });
                for (int i = 0; i < tasks; i++) {
                    assertThat(runs.get(i)).isEqualTo(1);
                }
            }
        }
    }

    @Test
    void allThreadsTakePart() {
        try (Workers workers = new Workers(3)) {
            CountDownLatch all = new CountDownLatch(3);
            Set<Thread> threads = ConcurrentHashMap.newKeySet();
            workers.run(3, (index, worker) -> {
                threads.add(Thread.currentThread());
                all.countDown();
                await(all);
            });
            assertThat(threads).hasSize(3).contains(Thread.currentThread());
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(10, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5})
    void whatATaskThrowsReachesTheCallerAndTheWorkersGoOn(int threads) {
        try (Workers workers = new Workers(threads)) {
            for (int round = 0; round < 20; round++) {
                int bad = round;
                assertThatThrownBy(() -> workers.run(20, (index, worker) -> {
                            if (index == bad) {
                                throw new IllegalArgumentException("task " + index);
                            }
                        }))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessage("task " + bad);
                assertThatThrownBy(() -> workers.run(20, (index, worker) -> {
                            throw new OutOfMemoryError("as if");
                        }))
                        .isInstanceOf(OutOfMemoryError.class);
                AtomicInteger sum = new AtomicInteger();
                workers.run(20, (index, worker) -> sum.addAndGet(index));
                assertThat(sum).hasValue(190);
            }
        }
    }

    @Test
    void threadsEndWhenClosed() throws InterruptedException {
        Set<Thread> threads = ConcurrentHashMap.newKeySet();
        try (Workers workers = new Workers(4)) {
            CountDownLatch all = new CountDownLatch(4);
            workers.run(4, (index, worker) -> {
                threads.add(Thread.currentThread());
                all.countDown();
                await(all);
            });
        }
        threads.remove(Thread.currentThread());
        assertThat(threads).hasSize(3);
        for (Thread thread : threads) {
            assertThat(thread.join(Duration.ofSeconds(10))).isTrue();
        }
    }

    @Test
    void noThreadsAreRefused() {
        assertThatThrownBy(() -> new Workers(0)).isInstanceOf(IllegalArgumentException.class);
    }
}
