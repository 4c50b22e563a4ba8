package io.github.rankine.cli;

import java.io.PrintStream;
import java.util.concurrent.CountDownLatch;

/**
 * Ctrl-C, and the system's request to end, for a command that has something to save: it is told, and the JVM waits until
 * it has ended. The JVM's own exit codes stay, such as 130 after Ctrl-C.
 */
final class Interruption {
    /** Exit code after Ctrl-C, by the shells' convention: 128 and the signal's number. */
    static final int EXIT_CODE = 130;

    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile boolean requested;

    /** From now on an interrupt prints {@code notice} and waits for {@link #end}. */
    void handle(PrintStream err, String notice) {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            if (ended.getCount() == 0) {
                return;
            }
            requested = true;
            err.println(notice);
            try {
                ended.await();
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
        }));
    }

    /** Whether the command should stop. */
    boolean requested() {
        return requested;
    }

    /** The command has ended and said all that it has to say. */
    void end() {
        ended.countDown();
    }
}
