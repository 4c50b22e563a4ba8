package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is more than plain LoRA over a float base, through the commands: trained, resumed, evaluated, merged. */
class FinetuneVariantsTest {
    private static final int STEPS = 16;

    @TempDir
    Path folder;

    private TrainingExample example;

    @BeforeEach
    void writeData() {
        example = new TrainingExample(folder);
        example.data();
        example.evalData();
    }

    private CommandLineRun finetune(Path output, String... more) {
        return run(
                more,
                "finetune",
                "--model",
                Fixture.of("llama-gqa").model(),
                "--data",
                folder.resolve("train.jsonl"),
                "--eval-data",
                folder.resolve("valid.jsonl"),
                "--learning-rate",
                0.01,
                "--steps",
                STEPS,
                "--threads",
                1,
                "--output",
                output);
    }

    private static CommandLineRun run(String[] more, Object... words) {
        return CommandLineRun.of(
                Stream.concat(Arrays.stream(words), Arrays.stream(more)).toArray());
    }

    private double evaluate(Path model, String... more) {
        CommandLineRun run = run(more, "evaluate", "--model", model, "--data", folder.resolve("valid.jsonl"), "--json");
        assertThat(run.exitCode()).as(run.err()).isZero();
        return Json.parseObject(run.out(), "evaluate").number("loss", 0, 100);
    }

    private double lastLoss(Path output) throws IOException {
        List<String> lines = Files.readAllLines(output.resolve("metrics.jsonl"));
        JsonObject last = Json.parseObject(lines.getLast(), "last");
        assertThat(last.integer("step", 1, STEPS)).isEqualTo(STEPS);
        return last.number("eval_loss", 0, 100);
    }

    /** Trained in one go, or interrupted and resumed or with recomputed blocks: the same bytes; merged: the same loss. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "--dora --dropout 0.1",
                "--dora --bias all --rank 3",
                "--init-lora-weights pissa",
                "--init-lora-weights pissa_niter_4 --convert-to-lora --rslora --rank 3",
                "--target-modules q_proj,embed_tokens,lm_head",
                "--modules-to-save lm_head,norm --rank 2",
                "--target-modules q_proj,v_proj --loraplus-lr-ratio 4"
            })
    void adapters(String options) throws IOException {
        Path model = Fixture.of("llama-gqa").model();
        Path output = folder.resolve("out");
        String[] more = options.split(" ");
        CommandLineRun run = finetune(output, more);
        assertThat(run.exitCode()).as(run.err()).isZero();
        double loss = lastLoss(output);
        assertThat(loss).isLessThan(evaluate(model) - 0.1);
        assertThat(evaluate(model, "--adapter", output.toString())).isEqualTo(loss, offset(1e-4));

        Path recomputed = folder.resolve("recomputed");
        List<String> on = new ArrayList<>(List.of(more));
        on.addAll(List.of("--recompute", "on"));
        assertThat(finetune(recomputed, on.toArray(String[]::new)).exitCode()).isZero();
        assertThat(recomputed.resolve("adapter_model.safetensors"))
                .hasSameBinaryContentAs(output.resolve("adapter_model.safetensors"));

        Path merged = folder.resolve("merged");
        CommandLineRun merge = CommandLineRun.of("merge", "--model", model, "--adapter", output, "--output", merged);
        assertThat(merge.exitCode()).as(merge.err()).isZero();
        assertThat(evaluate(merged)).isEqualTo(loss, offset(1e-3));
    }

    @ParameterizedTest
    @ValueSource(strings = {"nf4", "int8"})
    void overAQuantizedBase(String type) throws IOException {
        Path model = Fixture.of("llama-gqa").model();
        Path output = folder.resolve("out");
        CommandLineRun run = finetune(output, "--quantize", type);
        assertThat(run.exitCode()).as(run.err()).isZero();
        double loss = lastLoss(output);
        assertThat(evaluate(model, "--quantize", type, "--adapter", output.toString()))
                .isEqualTo(loss, offset(1e-4));
        CommandLineRun other = CommandLineRun.of(
                "evaluate", "--model", model, "--data", folder.resolve("valid.jsonl"), "--adapter", output);
        assertThat(other.err()).contains("trained over its base in " + type).contains("--quantize " + type);

        CommandLineRun resumed = finetune(output, "--quantize", type, "--resume");
        assertThat(resumed.exitCode()).as(resumed.err()).isZero();
        assertThat(finetune(output, "--resume").err()).contains("the run began with quantization");

        Path merged = folder.resolve("merged");
        CommandLineRun merge = CommandLineRun.of("merge", "--model", model, "--adapter", output, "--output", merged);
        assertThat(merge.exitCode()).as(merge.err()).isZero();
        assertThat(merge.err()).contains("in " + type + ", dequantised, which the adapter was trained over");
        assertThat(evaluate(merged)).isEqualTo(loss, offset(1e-4));
        Path plain = folder.resolve("plain");
        CommandLineRun.of("merge", "--model", model, "--adapter", output, "--output", plain, "--quantize", "none");
        assertThat(evaluate(plain)).isNotCloseTo(loss, offset(1e-5));
    }

    @Test
    void aQuantizedCheckpointIsTrainedOver() throws IOException {
        Path quantized = folder.resolve("quantized");
        CommandLineRun written = CommandLineRun.of(
                "quantize", "--model", Fixture.of("llama-gqa").model(), "--type", "nf4", "--output", quantized);
        assertThat(written.exitCode()).as(written.err()).isZero();
        assertThat(written.out()).contains(quantized + ": ").contains("instead of");
        Path loaded = folder.resolve("loaded");
        finetune(loaded, "--quantize", "nf4");
        Path stored = folder.resolve("stored");
        CommandLineRun run = run(
                new String[] {},
                "finetune",
                "--model",
                quantized,
                "--data",
                folder.resolve("train.jsonl"),
                "--eval-data",
                folder.resolve("valid.jsonl"),
                "--learning-rate",
                0.01,
                "--steps",
                STEPS,
                "--output",
                stored);
        assertThat(run.exitCode()).as(run.err()).isZero();
        assertThat(stored.resolve("adapter_model.safetensors"))
                .hasSameBinaryContentAs(loaded.resolve("adapter_model.safetensors"));
        for (String wrong : List.of("int8", "fp4")) {
            assertThat(CommandLineRun.of("quantize", "--model", "m", "--type", wrong, "--output", "o")
                            .exitCode())
                    .isEqualTo(2);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--peft-type prefix_tuning --num-virtual-tokens 6",
                "--peft-type prefix_tuning --num-virtual-tokens 4 --prefix-projection --encoder-hidden-size 16"
            })
    void prefixes(String options) throws IOException {
        Path model = Fixture.of("llama-gqa").model();
        Path output = folder.resolve("out");
        CommandLineRun run = finetune(output, options.split(" "));
        assertThat(run.exitCode()).as(run.err()).isZero();
        assertThat(run.err()).contains("prefix: ").contains("virtual tokens");
        double loss = lastLoss(output);
        assertThat(loss).isLessThan(evaluate(model) + 0.3).isNotCloseTo(evaluate(model), offset(1e-3));
        assertThat(evaluate(model, "--adapter", output.toString())).isEqualTo(loss, offset(1e-4));
        CommandLineRun merge =
                CommandLineRun.of("merge", "--model", model, "--adapter", output, "--output", folder.resolve("merged"));
        assertThat(merge.exitCode()).isEqualTo(1);
        assertThat(merge.err()).contains("peft_type: the string \"PREFIX_TUNING\" found, expected LORA");
    }

    @Test
    void aPrefixAndAnAdapterInOneRun() throws IOException {
        Path model = Fixture.of("llama-gqa").model();
        Path output = folder.resolve("out");
        CommandLineRun run = finetune(output, "--peft-type", "lora,prefix_tuning", "--num-virtual-tokens", "5");
        assertThat(run.exitCode()).as(run.err()).isZero();
        double loss = lastLoss(output);
        String adapter = output.toString();
        String prefix = output.resolve("prefix").toString();
        assertThat(evaluate(model, "--adapter", adapter, "--adapter", prefix)).isEqualTo(loss, offset(1e-4));
        assertThat(evaluate(model, "--adapter", adapter)).isNotCloseTo(loss, offset(1e-4));
        assertThat(run.err()).contains("take both: --adapter " + adapter + " --adapter " + prefix);
        CommandLineRun merge =
                CommandLineRun.of("merge", "--model", model, "--adapter", adapter, "--output", folder.resolve("m"));
        assertThat(merge.err()).contains("trained with the prefix in " + prefix + ", which is left out");
        assertThat(output.resolve("best/prefix/adapter_model.safetensors")).exists();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--convert-to-lora",
                "--init-lora-weights svd",
                "--dora --init-lora-weights pissa",
                "--num-virtual-tokens 3",
                "--peft-type prefix_tuning --rank 4",
                "--peft-type prefix_tuning --encoder-hidden-size 4",
                "--peft-type prefix_tuning --num-virtual-tokens 0",
                "--loraplus-lr-embedding 1e-5",
                "--loraplus-lr-ratio -1",
                "--full --quantize nf4",
                "--full --peft-type lora",
                "--quantize nf8",
                "--bias some"
            })
    void wrongUsage(String options) {
        CommandLineRun run = finetune(folder.resolve("out"), options.split(" "));
        assertThat(run.exitCode()).as(run.err()).isEqualTo(2);
        assertThat(folder.resolve("out")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--peft-type prefix_tuning --num-virtual-tokens 128|leaves|128 virtual tokens, the model takes 128",
                "--modules-to-save nope|names|module to save 'nope' is not in this model",
                "--dora --target-modules embed_tokens,q_proj|has|no DoRA of embeddings"
            })
    void whatTheModelHasNot(String line) {
        String[] parts = line.split("\\|");
        CommandLineRun run = finetune(folder.resolve("out"), parts[0].split(" "));
        assertThat(run.exitCode()).as(run.err()).isEqualTo(1);
        assertThat(run.err()).contains(parts[2]).doesNotContain("\tat ");
    }

    @Test
    void answersEachRequestWithItsAdapter() throws IOException {
        Path model = TinyModel.write(folder.resolve("model"));
        Path adapter = folder.resolve("adapter");
        Path texts = Files.writeString(folder.resolve("texts.jsonl"), "{\"text\": \"abc abc abc abc\"}\n");
        CommandLineRun trained = CommandLineRun.of(
                "finetune",
                "--model",
                model,
                "--data",
                texts,
                "--steps",
                20,
                "--learning-rate",
                0.02,
                "--output",
                adapter);
        assertThat(trained.exitCode()).as(trained.err()).isZero();
        Path requests = Files.writeString(folder.resolve("requests.jsonl"), """
            {"prompt": "abc", "adapter": "one"}
            {"prompt": "abc"}

            {"prompt": "abc", "adapter": "two"}
            """);
        CommandLineRun run = CommandLineRun.of(
                "adapters",
                "answer",
                "--model",
                model,
                "--adapter",
                "one=" + adapter,
                "--adapter",
                "two=" + adapter,
                "--requests",
                requests,
                "--max-new-tokens",
                4);
        assertThat(run.exitCode()).as(run.err()).isZero();
        List<JsonObject> answers =
                run.out().lines().map(line -> Json.parseObject(line, "answer")).toList();
        assertThat(answers).hasSize(3);
        for (int i = 0; i < 3; i++) {
            String[] more = i == 1 ? new String[] {} : new String[] {"--adapter", adapter.toString()};
            CommandLineRun alone =
                    run(more, "generate", "--model", model, "--prompt", "abc", "--max-new-tokens", 4, "--json");
            assertThat(answers.get(i).integers("tokens", 0, 383))
                    .isEqualTo(Json.parseObject(alone.out(), "alone").integers("tokens", 0, 383));
        }
        assertThat(answers.get(0).get("tokens")).isNotEqualTo(answers.get(1).get("tokens"));
        Files.writeString(requests, "{\"prompt\": \"abc\", \"adapter\": \"three\"}\n");
        CommandLineRun twice = CommandLineRun.of(
                "adapters",
                "answer",
                "--model",
                model,
                "--adapter",
                "one=" + adapter,
                "--adapter",
                "one=" + adapter,
                "--requests",
                requests);
        assertThat(twice.exitCode()).isEqualTo(2);
        CommandLineRun unknown = CommandLineRun.of(
                "adapters", "answer", "--model", model, "--adapter", "one=" + adapter, "--requests", requests);
        assertThat(unknown.exitCode()).isEqualTo(1);
        assertThat(unknown.err()).contains(requests + ": line 1: adapter: 'three', expected one of one");
    }
}
