package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CommandRunnerTest {
    /** {@code --debug} is for the whole process, which here runs other tests too. */
    @AfterEach
    void endDebugging() {
        System.clearProperty("org.slf4j.simpleLogger.defaultLogLevel");
    }

    @Test
    void helpGoesToStandardOutput() {
        CommandLineRun run = CommandLineRun.of("--help");
        assertThat(run.exitCode()).isZero();
        assertThat(run.out()).contains("Usage: rankine").contains("logits");
        assertThat(run.err()).isEmpty();
    }

    @Test
    void wrongUsageIsSaidWithTheWayToHelp() {
        CommandLineRun run = CommandLineRun.of("logits", "--model", "m", "--tokens", "1,x", "--output", "o");
        assertThat(run.exitCode()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.err().lines())
                .containsExactly(
                        "rankine: Invalid value for option '--tokens' (ID): 'x' is not an int",
                        "Try 'rankine logits --help'.");
        assertThat(CommandLineRun.of().exitCode()).isEqualTo(2);
        assertThat(CommandLineRun.of("lgits").err()).contains("Did you mean: rankine logits?");
    }

    @Test
    void aValueOutOfRangeIsWrongUsage() {
        Fixture fixture = Fixture.of("llama-gqa");
        for (int threads : new int[] {0, 100_000}) {
            CommandLineRun run = CommandLineRun.of(
                    "logits", "--model", fixture.model(), "--tokens", "1", "--output", "o", "--threads", threads);
            assertThat(run.exitCode()).isEqualTo(2);
            assertThat(run.err()).startsWith("rankine: --threads " + threads + ": must be at least 1 and at most 4096");
        }
    }

    @Test
    void aFailureIsOneLineAndDebugAddsItsOrigin() {
        String[] args = {"logits", "--model", "no-such-folder", "--tokens", "1", "--output", "o"};
        CommandLineRun run = CommandLineRun.of((Object[]) args);
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.err().lines()).singleElement().asString().startsWith("rankine: no-such-folder: no such");

        CommandLineRun debug =
                CommandLineRun.of("--debug", "logits", "--model", "no-such-folder", "--tokens", "1", "--output", "o");
        assertThat(debug.exitCode()).isEqualTo(1);
        assertThat(debug.err()).contains("\tat io.github.rankine.");
    }

    @Test
    void aReaderThatHasGoneAwayEndsTheCommandQuietly() {
        CommandLineRun run = CommandLineRun.into(failing("Broken pipe"), "--help");
        assertThat(run).isEqualTo(new CommandLineRun(0, "", ""));
    }

    @Test
    void aResultThatCannotBeWrittenIsAFailure() {
        CommandLineRun run = CommandLineRun.into(failing("No space left on device"), "--help");
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.err().lines())
                .containsExactly("rankine: standard output cannot be written: No space left on device");
    }

    @Test
    void lackOfMemoryComesWithItsRemedy() {
        CommandLineRun run = CommandLineRun.into(throwing(new OutOfMemoryError("Java heap space")), "--help");
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.err().lines())
                .singleElement()
                .asString()
                .startsWith("rankine: out of memory (Java heap space): lower --batch-size");
    }

    @Test
    void aBugIsCalledOneWithoutItsStackTrace() {
        CommandLineRun run = CommandLineRun.into(throwing(new IllegalStateException("first\nsecond")), "--help");
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.err().lines())
                .containsExactly(
                        "rankine: a bug in Rankine: java.lang.IllegalStateException: first; please report it with"
                                + " what --debug shows");
    }

    private static OutputStream throwing(Throwable failure) {
        return new OutputStream() {
            @Override
            public void write(int b) {
                switch (failure) {
                    case Error error -> throw error;
                    case RuntimeException exception -> throw exception;
                    default -> throw new IllegalArgumentException(failure);
                }
            }
        };
    }

    private static OutputStream failing(String message) {
        return new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException(message);
            }
        };
    }
}
