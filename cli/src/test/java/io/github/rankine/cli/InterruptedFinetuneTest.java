package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.models.run.MetricsEntry;
import io.github.rankine.models.run.MetricsLog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** {@code finetune} in a JVM of its own, killed and interrupted, beside the same run left alone. */
class InterruptedFinetuneTest {
    private static final int KILLS = 4;

    @TempDir
    Path folder;

    private Path whole;
    private Path output;
    private Path errors;

    @BeforeEach
    void runWhole() {
        whole = folder.resolve("whole");
        output = folder.resolve("out");
        errors = folder.resolve("errors.txt");
        CommandLineRun run = CommandLineRun.of(arguments(whole));
        assertThat(run.exitCode()).as(run.err()).isZero();
    }

    @Test
    void killedAtRandomMomentsItFinishesBitForBit() throws Exception {
        Random random = new Random(System.nanoTime());
        List<Integer> stepsSeen = new ArrayList<>();
        for (int kill = 1; kill <= KILLS; kill++) {
            Process process = start("--resume");
            waitForStep(process, TrainingExample.STEPS * kill / (KILLS + 1));
            Thread.sleep(random.nextInt(30));
            process.destroyForcibly().waitFor();
            stepsSeen.add(entries(output).size());
        }
        assertThat(stepsSeen.getLast()).as("steps before the last kill").isLessThan(TrainingExample.STEPS);
        assertFinishesAsTheWhole();
    }

    @Test
    @DisabledOnOs(value = OS.WINDOWS, disabledReason = "has no signals to send")
    void endingItSavesAndSaysHowToResume() throws Exception {
        Process process = start();
        waitForStep(process, 5);
        // SIGTERM goes the way of Ctrl-C's SIGINT, which a build that runs in the background would have ignored.
        process.destroy();
        assertThat(process.waitFor()).as(Files.readString(errors)).isEqualTo(143);
        int step = entries(output).size();
        assertThat(Files.readString(errors))
                .contains("rankine: finishing this step, then saving")
                .contains("rankine: stopped and saved at step " + step + " of " + TrainingExample.STEPS
                        + "; to go on, repeat the command with --resume");
        assertFinishesAsTheWhole();
    }

    private void assertFinishesAsTheWhole() throws Exception {
        Process last = start("--resume");
        assertThat(last.waitFor()).as(Files.readString(errors)).isZero();
        List<byte[]> expected = TrainingExample.reproducible(whole);
        assertThat(TrainingExample.reproducible(output)).hasSameSizeAs(expected).containsExactlyElementsOf(expected);
        assertThat(entries(output))
                .extracting(MetricsEntry::step)
                .containsExactlyElementsOf(
                        IntStream.rangeClosed(1, TrainingExample.STEPS).boxed().toList());
        assertThat(entries(output))
                .extracting(MetricsEntry::loss)
                .containsExactlyElementsOf(
                        entries(whole).stream().map(MetricsEntry::loss).toList());
        assertThat(entries(output))
                .extracting(MetricsEntry::evalLoss)
                .containsExactlyElementsOf(
                        entries(whole).stream().map(MetricsEntry::evalLoss).toList());
    }

    /** Small batches of the slow kernels, so that there is time between two steps. */
    private Object[] arguments(Path output) {
        return new TrainingExample(folder).arguments(output, "--kernels", "reference", "--save-every", 3);
    }

    private Process start(String... more) throws IOException {
        List<String> words = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                Rankine.class.getName()));
        Arrays.stream(arguments(output)).map(Object::toString).forEach(words::add);
        words.addAll(Arrays.asList(more));
        return new ProcessBuilder(words)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(errors.toFile())
                .start();
    }

    private void waitForStep(Process process, int step) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
        while (entries(output).size() < step) {
            assertThat(process.isAlive()).as(Files.readString(errors)).isTrue();
            assertThat(System.nanoTime()).as("waiting for step " + step).isLessThan(deadline);
            Thread.sleep(2);
        }
    }

    private static List<MetricsEntry> entries(Path output) {
        Path log = output.resolve("metrics.jsonl");
        return Files.exists(log) ? MetricsLog.read(log) : List.of();
    }
}
