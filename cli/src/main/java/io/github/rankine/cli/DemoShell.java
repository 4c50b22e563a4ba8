package io.github.rankine.cli;

import java.io.File;

/** Command lines that can be pasted into a shell. */
final class DemoShell {
    /** How the launcher was called; it tells Java. */
    private static final String LAUNCHER = "rankine.launcher";

    private DemoShell() {}

    /** What starts Rankine the way that this process was started. */
    static String rankine() {
        String launcher = System.getProperty(LAUNCHER);
        if (launcher != null) {
            return quoted(launcher);
        }
        String jar = System.getProperty("java.class.path");
        return jar.endsWith(".jar") && !jar.contains(File.pathSeparator)
                ? "java --add-modules jdk.incubator.vector --enable-native-access=ALL-UNNAMED -jar " + quoted(jar)
                : "rankine";
    }

    /** One word for a POSIX shell. */
    static String quoted(Object word) {
        String text = word.toString();
        return text.matches("[\\w./-]+") ? text : "'" + text.replace("'", "'\\''") + "'";
    }
}
