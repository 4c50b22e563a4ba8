package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.data.Offset.offset;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.lora.AdapterWeights;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.peft.ModelCard;
import io.github.rankine.models.peft.PeftAdapter;
import io.github.rankine.models.peft.PeftConfig;
import io.github.rankine.models.safetensors.SafetensorsFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The two adapters are llama-gqa's, of rank 8 for every linear layer, and one of PEFT that differs in all that enters the scaling: rsLoRA, ranks 3 and 4,
 * an alpha of one module; it has three of the seven layers of a block.
 */
class CombineCommandTest {
    private static final Path MODEL = Fixture.of("llama-gqa").model();
    private static final Path FIRST = Fixture.of("llama-gqa").adapter();
    private static final Path SECOND = Fixture.of("llama-combine").adapter();
    private static final String BOTH_HAVE = "model.layers.1.mlp.down_proj";
    private static final String FIRST_HAS = "model.layers.1.mlp.up_proj";

    @TempDir
    private Path temp;

    private static List<Object> command(String method, Path output, Object first, Object second, Object... more) {
        List<Object> all = new ArrayList<>(List.of("adapters", "combine", "--adapter", first, "--adapter", second));
        all.addAll(List.of("--method", method, "--output", output));
        all.addAll(List.of(more));
        return all;
    }

    private static JsonNode combine(String method, Path output, Object first, Object second, Object... more) {
        List<Object> all = command(method, output, first, second, more);
        all.add("--json");
        CommandLineRun run = CommandLineRun.of(all.toArray());
        assertThat(run.exitCode()).as(run.err()).isZero();
        return Json.parse(run.out(), "standard output");
    }

    private float[] logits(Path model, Path... adapters) {
        Path file = temp.resolve("logits.safetensors");
        List<Object> args = new ArrayList<>(
                List.of("logits", "--model", model, "--tokens", "5,17,200,33,44,310,7", "--output", file));
        for (Path adapter : adapters) {
            args.addAll(List.of("--adapter", adapter));
        }
        CommandLineRun run = CommandLineRun.of(args.toArray());
        assertThat(run.exitCode()).as(run.err()).isZero();
        try (SafetensorsFile logits = SafetensorsFile.open(file)) {
            return logits.bytes("logits").toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
        }
    }

    /** {@code factor · B · A}, by rows. */
    private static double[][] product(Weight a, Weight b, double factor) {
        double[][] product = new double[(int) b.rows()][(int) a.cols()];
        for (int i = 0; i < product.length; i++) {
            for (int j = 0; j < product[i].length; j++) {
                for (int k = 0; k < a.rows(); k++) {
                    product[i][j] += factor * b.get(i, k) * a.get(k, j);
                }
            }
        }
        return product;
    }

    private static Map<String, double[][]> updates(Path adapter) {
        Map<String, double[][]> updates = new LinkedHashMap<>();
        try (PeftAdapter stored = PeftAdapter.open(adapter)) {
            stored.modules()
                    .forEach((module, factors) -> updates.put(
                            module,
                            product(
                                    factors.a(),
                                    factors.b(),
                                    stored.config().lora().scaling(module))));
        }
        return updates;
    }

    /** {@code weight · first + other · second}, modules that the second lacks being zero there. */
    private static Map<String, double[][]> sum(double weight, double other) {
        Map<String, double[][]> sum = updates(FIRST);
        Map<String, double[][]> second = updates(SECOND);
        sum.forEach((module, update) -> {
            for (int i = 0; i < update.length; i++) {
                for (int j = 0; j < update[i].length; j++) {
                    update[i][j] =
                            weight * update[i][j] + (second.containsKey(module) ? other * second.get(module)[i][j] : 0);
                }
            }
        });
        return sum;
    }

    /** {@code ‖expected − actual‖² / ‖expected‖²} over these modules. */
    private static double lost(
            Map<String, double[][]> expected, Map<String, double[][]> actual, Iterable<String> modules) {
        double lost = 0;
        double all = 0;
        for (String module : modules) {
            double[][] rows = expected.get(module);
            for (int i = 0; i < rows.length; i++) {
                for (int j = 0; j < rows[i].length; j++) {
                    double difference = rows[i][j] - actual.get(module)[i][j];
                    lost += difference * difference;
                    all += rows[i][j] * rows[i][j];
                }
            }
        }
        return lost / all;
    }

    @Test
    void catIsTheWeightedSumAndAddsTheRanks() {
        Path output = temp.resolve("cat");
        JsonNode result = combine("cat", output, FIRST + ":0.7", SECOND + ":-0.3");
        Map<String, double[][]> expected = sum(0.7, -0.3);
        assertThat(Math.sqrt(lost(expected, updates(output), expected.keySet())))
                .isLessThan(1e-7);
        assertThat(result.get("exact").booleanValue()).isTrue();
        assertThat(result.has("energy")).isFalse();
        assertThat(result.get("ranks")).hasSize(14);
        assertThat(result.get("ranks").get(BOTH_HAVE).intValue()).isEqualTo(12);
        assertThat(result.get("ranks").get("model.layers.0.self_attn.v_proj").intValue())
                .isEqualTo(11);
        assertThat(result.get("ranks").get(FIRST_HAS).intValue()).isEqualTo(8);
        try (PeftAdapter stored = PeftAdapter.open(output)) {
            LoraConfig config = stored.config().lora();
            assertThat(stored.modules().keySet())
                    .allSatisfy(module -> assertThat(config.scaling(module)).isEqualTo(1));
            assertThat(stored.parameters()).isEqualTo(result.get("parameters").longValue());
        }
        assertThat(output.resolve(ModelCard.FILE))
                .content()
                .contains("- **Method:** cat\n- **Of:** 0.7 x " + FIRST + "\n- **Of:** -0.3 x " + SECOND + "\n")
                .contains("all, the sum is exact");
    }

    /** Base and first, base and second are models of their own; both at once are the sum of both updates. */
    @Test
    void catAnswersAsBothAdaptersAtOnce() throws IOException {
        Path half = temp.resolve("half");
        Files.createDirectories(half);
        ObjectNode config = Json.readObject(SECOND.resolve(PeftConfig.FILE)).toNode();
        config.put("lora_alpha", 3);
        ((ObjectNode) config.get("alpha_pattern")).put("layers.1.mlp.down_proj", 5);
        Files.writeString(half.resolve(PeftConfig.FILE), Json.write(config));
        Files.copy(SECOND.resolve(PeftAdapter.WEIGHTS), half.resolve(PeftAdapter.WEIGHTS));
        Path output = temp.resolve("cat");
        combine("cat", output, FIRST, SECOND + ":.5");
        assertThat(logits(MODEL, output)).containsExactly(logits(MODEL, FIRST, half), offset(1e-5f));
        assertThat(logits(MODEL, output)).isNotEqualTo(logits(MODEL, FIRST));
    }

    /** Over GPT-2's transposed weights. */
    @Test
    void anAdapterWithItselfIsThatAdapter() {
        Fixture gpt2 = Fixture.of("gpt2");
        Path output = temp.resolve("cat");
        combine("cat", output, gpt2.adapter() + ":1.25", gpt2.adapter() + ":-25e-2");
        assertThat(logits(gpt2.model(), output)).containsExactly(logits(gpt2.model(), gpt2.adapter()), offset(1e-5f));
        JsonNode result = combine("svd", temp.resolve("svd"), gpt2.adapter() + ":1.25", gpt2.adapter() + ":-.25");
        assertThat(result.get("energy").doubleValue()).isCloseTo(1, within(1e-12));
        assertThat(result.get("ranks").get("transformer.h.0.attn.c_attn").intValue())
                .isEqualTo(4);
        assertThat(logits(gpt2.model(), temp.resolve("svd")))
                .containsExactly(logits(gpt2.model(), gpt2.adapter()), offset(1e-5f));
    }

    @Test
    void svdOfTheFullRankIsCat() {
        JsonNode result = combine("svd", temp.resolve("svd"), FIRST + ":0.7", SECOND + ":0.3", "--rank", 1000);
        combine("cat", temp.resolve("cat"), FIRST + ":0.7", SECOND + ":0.3");
        assertThat(logits(MODEL, temp.resolve("svd")))
                .containsExactly(logits(MODEL, temp.resolve("cat")), offset(1e-5f));
        assertThat(result.get("energy").doubleValue()).isCloseTo(1, within(1e-12));
        // No module has more than the sum of its ranks.
        assertThat(result.get("ranks").get(BOTH_HAVE).intValue()).isEqualTo(12);
    }

    @Test
    void svdLosesWhatItSays() {
        Path output = temp.resolve("svd");
        JsonNode result = combine("svd", output, FIRST + ":0.7", SECOND + ":0.3", "--rank", 3);
        Map<String, double[][]> expected = sum(0.7, 0.3);
        Map<String, double[][]> actual = updates(output);
        double lost = lost(expected, actual, expected.keySet());
        assertThat(lost).isGreaterThan(0.05);
        assertThat(1 - result.get("energy").doubleValue()).isCloseTo(lost, within(1e-6));
        assertThat(result.get("frobenius_error").doubleValue()).isCloseTo(Math.sqrt(lost), within(1e-6));
        JsonNode worst = result.get("worst");
        double worstError = worst.get("frobenius_error").doubleValue();
        assertThat(worstError * worstError)
                .isCloseTo(lost(expected, actual, List.of(worst.get("module").textValue())), within(1e-6));
        assertThat(expected.keySet())
                .allSatisfy(module ->
                        assertThat(lost(expected, actual, List.of(module))).isLessThan(worstError * worstError + 1e-6));
        assertThat(result.get("ranks"))
                .allSatisfy(rank -> assertThat(rank.intValue()).isEqualTo(3));
    }

    /** PEFT's default: the largest rank of the adapters. */
    @Test
    void withoutARankTheLargestIsKept() {
        JsonNode result = combine("svd", temp.resolve("svd"), SECOND, FIRST);
        assertThat(result.get("ranks"))
                .allSatisfy(rank -> assertThat(rank.intValue()).isEqualTo(8));
        CommandLineRun run = CommandLineRun.of(
                command("svd", temp.resolve("text"), SECOND, FIRST).toArray());
        assertThat(run.out())
                .startsWith(
                        temp.resolve("text") + ": adapter of 14 modules by svd, rank 8, 17.92K parameters; it keeps ")
                .contains("\nworst module: model.layers.");
    }

    @ParameterizedTest
    @CsvSource({"sum, 0.7, 0.3, 0.5", "difference, 1, -0.5, 0.2"})
    void tiesMakesWhatPeftDoes(String peftsName, double weight, double other, double density) {
        Path output = temp.resolve("ties");
        JsonNode result = combine(
                "ties_svd", output, FIRST + ":" + weight, SECOND + ":" + other, "--density", density, "--rank", 6);
        Map<String, double[][]> expected = new LinkedHashMap<>();
        Map<String, double[][]> actual = updates(output);
        try (SafetensorsFile peft =
                SafetensorsFile.open(Fixture.of("llama-combine").folder().resolve("ties_svd.safetensors"))) {
            actual.keySet().forEach(module -> {
                String name = peftsName + "/" + module;
                expected.put(module, product(peft.weight(name + ".A"), peft.weight(name + ".B"), 1));
            });
        }
        assertThat(expected).hasSize(14);
        assertThat(Math.sqrt(lost(expected, actual, expected.keySet()))).isLessThan(1e-4);
        assertThat(result.get("energy").doubleValue()).isBetween(0.5, 0.95);
        assertThat(output.resolve(ModelCard.FILE)).content().contains("- **Method:** ties_svd, density " + density);
    }

    @Test
    void dareIsDrawnBySeedOnAnyNumberOfThreads() {
        Object[] options = {"--density", 0.4, "--seed", 7, "--threads"};
        for (int threads : new int[] {1, 3}) {
            List<Object> more = new ArrayList<>(List.of(options));
            more.add(threads);
            combine("dare_linear_svd", temp.resolve("seven" + threads), FIRST, SECOND, more.toArray());
        }
        combine("dare_linear_svd", temp.resolve("eight"), FIRST, SECOND, "--density", 0.4, "--seed", 8);
        Path seven = temp.resolve("seven1").resolve(PeftAdapter.WEIGHTS);
        assertThat(temp.resolve("seven3").resolve(PeftAdapter.WEIGHTS)).hasSameBinaryContentAs(seven);
        Map<String, double[][]> one = updates(temp.resolve("seven1"));
        assertThat(lost(one, updates(temp.resolve("eight")), one.keySet())).isGreaterThan(0.1);
        assertThat(temp.resolve("eight").resolve(ModelCard.FILE))
                .content()
                .contains("- **Method:** dare_linear_svd, density 0.4, seed 8\n");
    }

    @Test
    void dareThatDropsNothingIsSvd() {
        JsonNode result = combine("dare_linear_svd", temp.resolve("dare"), FIRST, SECOND, "--density", 1, "--rank", 5);
        combine("svd", temp.resolve("svd"), FIRST, SECOND, "--rank", 5);
        Map<String, double[][]> svd = updates(temp.resolve("svd"));
        assertThat(lost(svd, updates(temp.resolve("dare")), svd.keySet())).isLessThan(1e-9);
        assertThat(1 - result.get("energy").doubleValue()).isCloseTo(lost(sum(1, 1), svd, svd.keySet()), within(1e-6));
    }

    @ParameterizedTest
    @ValueSource(strings = {"a:b", "c:2:0.5", "d:+1e0", "e:"})
    void aPathMayHoldColons(String given) throws IOException {
        Map<String, String> folders = Map.of("a:b", "a:b", "c:2:0.5", "c:2", "d:+1e0", "d", "e:", "e:");
        Path copy = Files.createDirectories(temp.resolve(folders.get(given)));
        for (String file : List.of(PeftConfig.FILE, PeftAdapter.WEIGHTS)) {
            Files.copy(FIRST.resolve(file), copy.resolve(file));
        }
        Path output = temp.resolve("cat");
        combine("cat", output, temp + "/" + given, SECOND);
        Map<String, double[][]> expected = sum(given.endsWith("0.5") ? 0.5 : 1, 1);
        assertThat(Math.sqrt(lost(expected, updates(output), expected.keySet())))
                .isLessThan(1e-7);
    }

    /** An adapter of one module. */
    private Path adapter(String name, int outputs, int inputs, float element, boolean fanInFanOut, String base) {
        Path folder = temp.resolve(name);
        try (Arena arena = Arena.ofConfined()) {
            Tensor a = Tensor.allocate(arena, 1, inputs);
            a.set(0, 0, 1);
            Tensor b = Tensor.allocate(arena, outputs, 1);
            b.set(0, 0, element);
            PeftAdapter.write(
                    folder,
                    new PeftConfig(
                            LoraConfig.of(1, 1, new ModuleSelector.Suffixes(List.of("q"))),
                            Optional.ofNullable(base),
                            fanInFanOut,
                            Optional.empty()),
                    AdapterWeights.of(Map.of("h.0.q", new LoraWeights(a.asWeight(), b.asWeight()))),
                    ModelCard.trained(1, "none", 1, 1, 1, OptionalDouble.empty()));
        }
        return folder;
    }

    @Test
    void adaptersOfDifferentBasesAreToldApart() {
        Path small = adapter("small", 2, 3, 1, false, "org/base");
        Path large = adapter("large", 2, 4, 1, false, "org/base");
        Path transposed = adapter("transposed", 2, 3, 1, true, "org/base");
        Path elsewhere = adapter("elsewhere", 2, 3, 1, false, "/models/base");
        Path output = temp.resolve("output");
        assertFailure(
                1,
                large + ": the update of h.0.q is [2, 4], in " + small
                        + " it is [2, 3]; they were made for different base models",
                command("cat", output, small, large));
        assertFailure(
                1,
                transposed.resolve(PeftConfig.FILE) + ": fan_in_fan_out is true, in " + small
                        + " it is false; they were made for different base models",
                command("cat", output, small, transposed));
        assertThat(output).doesNotExist();
        CommandLineRun run =
                CommandLineRun.of(command("cat", output, small, elsewhere).toArray());
        assertThat(run.exitCode()).isZero();
        assertThat(run.err())
                .contains(
                        "rankine: note: " + elsewhere + ": names '/models/base' as its base, the first that does names"
                                + " 'org/base', which is taken; are they the same weights?");
        try (PeftAdapter stored = PeftAdapter.open(output)) {
            assertThat(stored.config().baseModelNameOrPath()).contains("org/base");
        }
    }

    @Test
    void aSumOfNothingIsNoted() {
        Path untrained = adapter("untrained", 2, 3, 0, false, null);
        CommandLineRun run = CommandLineRun.of(
                command("svd", temp.resolve("output"), untrained, untrained).toArray());
        assertThat(run.exitCode()).isZero();
        assertThat(run.err()).contains("rankine: note: the combined update is zero");
    }

    @Test
    void whatIsNotFiniteIsRefusedByName() {
        Path sound = adapter("sound", 2, 3, 1, false, null);
        Path broken = adapter("broken", 2, 3, Float.NaN, false, null);
        for (String method : List.of("cat", "svd")) {
            assertFailure(
                    1,
                    broken + ": h.0.q.lora_B.weight: element [0, 0] is NaN",
                    command(method, temp.resolve("output"), sound, broken));
        }
        assertThat(temp.resolve("output")).doesNotExist();
    }

    @Test
    void whatCannotBeIsRefusedInOneLine() throws IOException {
        Path output = temp.resolve("output");
        assertFailure(
                2,
                "--adapter: one alone",
                List.of("adapters", "combine", "--adapter", FIRST, "--method", "cat", "--output", output));
        assertFailure(2, "all weights are zero", command("svd", output, FIRST + ":0", SECOND + ":-0.0"));
        for (String weight : List.of("NaN", "-inf", "Infinity", "1e999")) {
            assertFailure(
                    2,
                    "'" + FIRST + ":" + weight + "': the weight " + weight + " is not a finite number",
                    command("svd", output, FIRST + ":" + weight, SECOND));
        }
        assertFailure(1, "no-such:0,5: no such folder", command("svd", output, "no-such:0,5", SECOND));
        for (String method : List.of("cat", "ties_svd")) {
            assertFailure(
                    2,
                    "the weights add up to more than float32 holds",
                    command(method, output, FIRST + ":3e38", SECOND + ":-3e38"));
        }
        assertFailure(
                2,
                "'linear' adds the A's and the B's each by themselves, and the product of sums is not the sum of the"
                        + " updates B·A; use svd or cat",
                command("linear", output, FIRST, SECOND));
        assertFailure(2, "use ties_svd", command("ties", output, FIRST, SECOND));
        assertFailure(2, "use dare_linear_svd", command("dare_linear", output, FIRST, SECOND));
        assertFailure(2, "'mean' is not one of cat, svd", command("mean", output, FIRST, SECOND));
        assertFailure(2, "--rank is not for cat", command("cat", output, FIRST, SECOND, "--rank", 4));
        assertFailure(2, "--rank 0: must be at least 1", command("svd", output, FIRST, SECOND, "--rank", 0));
        assertFailure(2, "--method ties_svd needs --density", command("ties_svd", output, FIRST, SECOND));
        assertFailure(2, "--method dare_linear_svd needs --density", command("dare_linear_svd", output, FIRST, SECOND));
        for (double density : new double[] {0, -0.5, 1.01, Double.NaN}) {
            assertFailure(
                    2,
                    "--density " + density + ": must be above 0 and at most 1",
                    command("ties_svd", output, FIRST, SECOND, "--density", density));
        }
        assertFailure(
                2,
                "--density is for ties_svd and dare_linear_svd; svd keeps all elements",
                command("svd", output, FIRST, SECOND, "--density", 0.5));
        assertFailure(
                2,
                "--seed is for dare_linear_svd",
                command("ties_svd", output, FIRST, SECOND, "--density", 0.5, "--seed", 1));
        assertFailure(
                1,
                "no place for DoRA's magnitudes",
                command("cat", output, FIRST, Fixture.of("llama-dora").adapter()));
        assertFailure(2, "no command: one of combine", List.of("adapters"));
        assertThat(output).doesNotExist();
        Files.createDirectories(output);
        Files.writeString(output.resolve("mine.txt"), "keep");
        assertFailure(1, output + ": holds something already", command("cat", output, FIRST, SECOND));
        assertThat(output.resolve("mine.txt")).hasContent("keep");
    }

    private static void assertFailure(int exitCode, String message, List<Object> command) {
        CommandLineRun run = CommandLineRun.of(command.toArray());
        assertThat(run.exitCode()).as(run.err()).isEqualTo(exitCode);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).contains("rankine: ").contains(message).doesNotContain("\tat ");
    }
}
