package io.github.rankine.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.engine.RankineException;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class VectorKernelsProviderTest {
    @Test
    void isAvailableWhereTheModuleIs() {
        assertThat(new VectorKernelsProvider().unavailable()).isEmpty();
        try (Kernels kernels = KernelsLookup.best(1)) {
            assertThat(kernels.name()).isEqualTo("vector");
        }
    }

    /** Another Java without the module: asking must not load a class that needs it. */
    @Test
    void namesTheFlagWhereTheModuleIsMissing() throws IOException, InterruptedException {
        Process java = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path")
                                + File.pathSeparator
                                + System.getProperty("surefire.test.class.path", ""),
                        Asker.class.getName())
                .redirectErrorStream(true)
                .start();
        String output = new String(java.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(java.waitFor()).as(output).isZero();
        assertThat(output)
                .contains("--kernels vector: start Java with --add-modules jdk.incubator.vector")
                .doesNotContain("NoClassDefFoundError");
    }

    /** Asks for the kernels by name and prints the refusal. */
    static final class Asker {
        private Asker() {}

        public static void main(String[] arguments) {
            try (Kernels kernels = KernelsLookup.named("vector", 1)) {
                throw new IllegalStateException(kernels.name());
            } catch (RankineException e) {
                System.out.println(e.getMessage());
            }
        }
    }
}
