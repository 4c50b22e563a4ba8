package io.github.rankine.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.json.Json;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;
import picocli.CommandLine;

/** The commands by their command lines, on a tiny model; what they measure is not asserted, only that they measure. */
class BenchTest {
    @TempDir
    private Path temporary;

    private record Run(int exitCode, String out, String err) {}

    private static Run run(String input, Object... arguments) {
        PrintStream standardOut = System.out;
        InputStream standardIn = System.in;
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        StringWriter err = new StringWriter();
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setIn(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
        try {
            String[] words = new String[arguments.length];
            for (int i = 0; i < words.length; i++) {
                words[i] = arguments[i].toString();
            }
            CommandLine commandLine = Bench.commandLine().setErr(new PrintWriter(err, true));
            int exitCode = commandLine.execute(words);
            return new Run(exitCode, out.toString(StandardCharsets.UTF_8), err.toString());
        } finally {
            System.setOut(standardOut);
            System.setIn(standardIn);
        }
    }

    private static Path model() {
        try {
            return Path.of(
                    BenchTest.class.getResource("/fixtures/llama-gqa/model").toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void stepTellsItsSpeedItsPartsAndItsMemory() throws Exception {
        Run run = run(
                "",
                "step",
                "--model",
                model(),
                "--batch",
                2,
                "--length",
                12,
                "--steps",
                3,
                "--threads",
                2,
                "--by-kernel",
                "--json");
        assertThat(run.exitCode).as(run.err).isZero();
        JsonNode json = Json.mapper().readTree(run.out);
        assertThat(json.get("tokens").asInt()).isEqualTo(24);
        assertThat(json.get("threads").asInt()).isEqualTo(2);
        assertThat(json.get("tokens_per_second").asDouble()).isPositive();
        assertThat(json.get("loss").asDouble()).isBetween(1.0, 10.0);
        JsonNode seconds = json.get("seconds");
        double parts = seconds.get("forward").asDouble()
                + seconds.get("head").asDouble()
                + seconds.get("backward").asDouble()
                + seconds.get("optimizer").asDouble();
        assertThat(parts).isPositive().isLessThan(1.5 * seconds.get("step").asDouble());
        assertThat(json.get("kernel_seconds").properties()).hasSizeGreaterThan(10);
        if (Files.exists(Path.of("/proc/self/status"))) {
            assertThat(json.get("peak_memory_bytes").asLong()).isGreaterThan(1 << 20);
        }
    }

    @Test
    void recomputationChangesNoLoss() throws Exception {
        Object[] arguments = {"step", "--model", model(), "--batch", 2, "--length", 12, "--steps", 3, "--json"};
        double kept = Json.mapper().readTree(run("", arguments).out).get("loss").asDouble();
        Object[] more = Arrays.copyOf(arguments, arguments.length + 1);
        more[arguments.length] = "--recompute";
        assertThat(Json.mapper().readTree(run("", more).out).get("loss").asDouble())
                .isEqualTo(kept);
    }

    @Test
    void generateTellsPrefillAndDecode() throws Exception {
        Run run =
                run("", "generate", "--model", model(), "--prompt-length", 8, "--new-tokens", 4, "--runs", 2, "--json");
        assertThat(run.exitCode).as(run.err).isZero();
        JsonNode json = Json.mapper().readTree(run.out);
        assertThat(json.get("prefill_tokens_per_second").asDouble()).isPositive();
        assertThat(json.get("decode_tokens_per_second").asDouble()).isPositive();
        assertThat(json.get("decode_bytes_per_second").asDouble()).isPositive();
    }

    @Test
    void productsAnswersLineByLine() {
        Run run = run("8 16 24\n33 5 7\n", "products", "--weights", "bf16", "--threads", 1);
        assertThat(run.exitCode).as(run.err).isZero();
        assertThat(run.out.lines().map(Double::valueOf)).hasSize(2).allMatch(rate -> rate > 0);
    }

    @ParameterizedTest
    @CsvSource({"smollm2-135m, 134515008", "qwen2.5-0.5b, 494032768", "llama3.2-1b, 1235814400"})
    void shapesAreThoseOfTheRealModels(String shape, long parameters) throws Exception {
        try (InputStream in = CheckpointCommand.class.getResourceAsStream("shapes/" + shape + ".json")) {
            Files.write(temporary.resolve(ModelConfig.FILE), in.readAllBytes());
        }
        try (CausalLanguageModel planned = CausalLanguageModel.planned(ModelConfig.read(temporary), Optional.empty())) {
            Collection<Parameter> all = planned.decoder().parameters();
            assertThat(all.stream()
                            .mapToLong(parameter -> parameter.value().size())
                            .sum())
                    .isEqualTo(parameters);
        }
    }

    @Test
    void checkpointWritesWhatIsOpened() {
        Path folder = temporary.resolve("model");
        Run run = run("", "checkpoint", "--shape", "smollm2-135m", "--output", folder);
        assertThat(run.exitCode).as(run.err).isZero();
        try (CausalLanguageModel model = CausalLanguageModel.open(folder)) {
            assertThat(model.decoder().vocabularySize()).isEqualTo(49152);
        }
        assertRefused(run("", "checkpoint", "--shape", "smollm2-135m", "--output", folder), "is not empty");
    }

    @Test
    void whatIsWrongIsToldInOneLine() {
        assertRefused(run("", "checkpoint", "--shape", "gpt-9", "--output", temporary.resolve("x")), "--shape gpt-9");
        assertRefused(
                run("", "checkpoint", "--shape", "smollm2-135m", "--type", "q4", "--output", temporary.resolve("x")),
                "--type q4");
        assertRefused(run("", "step", "--model", temporary.resolve("none")), "none");
        assertRefused(run("", "step", "--model", model(), "--steps", 1), "--steps 1");
        assertRefused(run("", "step", "--model", model(), "--threads", 0), "--threads 0");
        assertRefused(run("", "step", "--model", model(), "--target-modules", "z_proj"), "z_proj");
        assertRefused(run("", "generate", "--model", model(), "--new-tokens", 1), "--new-tokens");
        assertRefused(run("", "generate", "--model", model(), "--prompt-length", 100_000), "prompt");
        assertRefused(run("a b c\n", "products"), "'a b c'");
        assertRefused(run("", "jmh", "NoSuchBenchmark"), "jmh: ");
    }

    private static void assertRefused(Run run, String part) {
        assertThat(run.exitCode).isEqualTo(CommandLine.ExitCode.SOFTWARE);
        assertThat(run.err.lines()).hasSize(1);
        assertThat(run.err).startsWith("bench/run: ").contains(part);
    }

    /** Every benchmark runs: for a moment, in this JVM, over its first parameters. */
    @Test
    void everyBenchmarkRuns() throws RunnerException {
        Collection<RunResult> results = new Runner(new OptionsBuilder()
                        .include(".*")
                        .param("kernels", "vector")
                        .param("shape", "192x576")
                        .param("weights", "BF16")
                        .param("rows", "24")
                        .param("rank", "8")
                        .param("features", "576")
                        .param("batch", "2x40")
                        .param("threads", "1")
                        .forks(0)
                        .warmupIterations(0)
                        .measurementIterations(1)
                        .measurementTime(TimeValue.milliseconds(1))
                        .verbosity(VerboseMode.SILENT)
                        .shouldFailOnError(true)
                        .build())
                .run();
        Set<String> ran = results.stream()
                .map(RunResult::getParams)
                .map(BenchmarkParams::getBenchmark)
                .collect(Collectors.toSet());
        assertThat(ran).hasSize(21);
        assertThat(results)
                .allSatisfy(result -> assertThat(result.getSecondaryResults()
                                        .get("gflop")
                                        .getScore()
                                + result.getSecondaryResults().get("gbyte").getScore())
                        .isPositive());
    }
}
