import com.palantir.javaformat.java.Formatter;
import com.palantir.javaformat.java.FormatterException;
import com.palantir.javaformat.java.JavaFormatterOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Checks that every Java source of the modules is formatted, or formats it. The parent pom runs this in its {@code verify}
 * phase, on the JDK that the build has selected: the formatter uses that JDK's compiler, and Maven itself may run on an
 * older one.
 */
final class Format {
    private Format() {}

    static void main(String[] args) throws IOException {
        boolean replace = switch (args[0]) {
            case "-check" -> false;
            case "-replace" -> true;
            default -> throw new IllegalArgumentException("-Dformat is -check or -replace, not " + args[0]);
        };
        var formatter = Formatter.createFormatter(JavaFormatterOptions.builder()
                .style(JavaFormatterOptions.Style.PALANTIR)
                .build());

        List<Path> differing = new ArrayList<>();
        boolean unreadable = false;
        for (Path file : sources(Path.of(""))) {
            String source = Files.readString(file);
            try {
                String formatted = formatter.formatSourceAndFixImports(source);
                if (!formatted.equals(source)) {
                    differing.add(file);
                    if (replace) {
                        Files.writeString(file, formatted);
                    }
                }
            } catch (FormatterException e) {
                unreadable = true;
                e.diagnostics().forEach(diagnostic -> IO.println(file + ":" + diagnostic));
            }
        }

        differing.forEach(file -> IO.println((replace ? "Formatted " : "Not formatted: ") + file));
        if (!replace && !differing.isEmpty()) {
            IO.println("To format: ./mvnw -N verify -Dformat=-replace");
        }
        if (unreadable || (!replace && !differing.isEmpty())) {
            System.exit(1);
        }
    }

    /** This file, and every Java file under a module's {@code src}. */
    private static List<Path> sources(Path root) throws IOException {
        try (var paths = Files.find(root, Integer.MAX_VALUE, (path, attributes) -> attributes.isRegularFile())) {
            return paths.filter(path -> path.toString().endsWith(".java"))
                    .filter(path -> path.getNameCount() > 2
                                    && path.getName(1).toString().equals("src")
                            || path.equals(Path.of(".mvn", "Format.java")))
                    .sorted()
                    .toList();
        }
    }
}
