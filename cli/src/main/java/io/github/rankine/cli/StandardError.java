package io.github.rankine.cli;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/** What Java does not tell about standard error: {@code System.console()} knows input and output together only. */
final class StandardError {
    private static final int DESCRIPTOR = 2;

    private StandardError() {}

    /** Whether somebody watches it, by POSIX's {@code isatty}. */
    static boolean isTerminal() {
        Linker linker = Linker.nativeLinker();
        Optional<MemorySegment> isatty = linker.defaultLookup()
                .find("isatty")
                .or(() -> linker.defaultLookup().find("_isatty"));
        if (isatty.isEmpty()) {
            return false;
        }
        try {
            return (int) linker.downcallHandle(
                                    isatty.get(), FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT))
                            .invokeExact(DESCRIPTOR)
                    != 0;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
