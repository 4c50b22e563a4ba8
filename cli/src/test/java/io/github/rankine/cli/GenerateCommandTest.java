package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import io.github.rankine.models.safetensors.SafetensorsFile;
import io.github.rankine.models.tokenizer.Tokenizer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GenerateCommandTest {
    @TempDir
    static Path temp;

    static Path model;

    @BeforeAll
    static void writeModel() {
        model = TinyModel.write(temp.resolve("model"));
    }

    @Test
    void takesTheLikeliestTokenEachTime() {
        JsonObject result = json("--max-new-tokens", 12);
        List<Integer> tokens = result.integers("tokens", 0, 383);
        assertThat(tokens).isNotEmpty();

        List<Integer> text = new ArrayList<>(promptIds());
        assertThat(result.integer("prompt_tokens", 1, 100)).isEqualTo(text.size());
        for (int token : tokens) {
            assertThat(token).isEqualTo(likeliestAfter(text));
            text.add(token);
        }
    }

    @Test
    void streamsTheContinuationAlone() throws IOException {
        String text = json("--max-new-tokens", 40).string("text");
        List<Integer> lengths = new ArrayList<>();
        ByteArrayOutputStream out = new ByteArrayOutputStream() {
            @Override
            public void flush() {
                lengths.add(size());
            }
        };
        CommandLineRun run = CommandLineRun.into(out, command("--max-new-tokens", 40));
        assertThat(run.exitCode()).isZero();
        assertThat(run.err()).isEmpty();
        assertThat(out.toString(StandardCharsets.UTF_8)).isEqualTo(text + "\n");
        assertThat(lengths.stream().distinct().count())
                .as("pieces that arrive one by one")
                .isGreaterThan(10);
    }

    @Test
    void samplesTheSameWithTheSameSeed() {
        List<Integer> first = sampled(1);
        assertThat(sampled(1)).isEqualTo(first);
        assertThat(sampled(2)).isNotEqualTo(first);
        assertThat(json("--max-new-tokens", 16, "--temperature", 5, "--top-k", 1)
                        .integers("tokens", 0, 383))
                .isEqualTo(json("--max-new-tokens", 16).integers("tokens", 0, 383));
    }

    private static List<Integer> sampled(int seed) {
        return json("--max-new-tokens", 16, "--temperature", 2, "--top-p", 0.95, "--seed", seed)
                .integers("tokens", 0, 383);
    }

    @Test
    void aRepetitionPenaltyKeepsTokensFromComingBack() {
        List<Integer> tokens =
                json("--max-new-tokens", 40, "--repetition-penalty", 1000).integers("tokens", 0, 383);
        assertThat(tokens).hasSizeGreaterThan(10).doesNotHaveDuplicates();
    }

    @Test
    void endsAtTheStopTokenAndLeavesItOut() throws IOException {
        List<Integer> tokens = json("--max-new-tokens", 12).integers("tokens", 0, 383);
        int stop = tokens.get(5);
        Path stopping = temp.resolve("stopping");
        Files.createDirectories(stopping);
        for (String file : List.of("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")) {
            Files.copy(model.resolve(file), stopping.resolve(file));
        }
        Files.writeString(stopping.resolve("generation_config.json"), "{\"eos_token_id\": [" + stop + "]}");
        JsonObject result =
                result("generate", "--model", stopping, "--prompt", "hello", "--max-new-tokens", 12, "--json");
        assertThat(result.string("finish_reason")).isEqualTo("stop");
        assertThat(result.integers("tokens", 0, 383)).isEqualTo(tokens.subList(0, tokens.indexOf(stop)));
    }

    @Test
    void aLimitIsTheReasonAndTheModelsOwnIsTold() {
        assertThat(json("--max-new-tokens", 3).string("finish_reason")).isEqualTo("length");
        assertThat(json("--max-new-tokens", 0).integers("tokens", 0, 383)).isEmpty();
        CommandLineRun full = CommandLineRun.of(command("--max-new-tokens", 1000, "--repetition-penalty", 1000));
        assertThat(full.exitCode()).isZero();
        assertThat(full.err()).contains("ended at the model's longest sequence, 128 tokens");
    }

    @Test
    void chatLaysThePromptOut() throws IOException {
        Path template = temp.resolve("template.jinja");
        Files.writeString(
                template,
                "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}{% if add_generation_prompt"
                        + " %}<a>{% endif %}");
        JsonObject chat = json("--chat", "--chat-template", template, "--max-new-tokens", 6);
        JsonObject plain =
                result("generate", "--model", model, "--prompt", "<user>hello<a>", "--max-new-tokens", 6, "--json");
        assertThat(chat.integers("tokens", 0, 383)).isEqualTo(plain.integers("tokens", 0, 383));
        assertThat(chat.integer("prompt_tokens", 0, 100)).isEqualTo(plain.integer("prompt_tokens", 0, 100));

        CommandLineRun none = CommandLineRun.of(command("--chat"));
        assertThat(none.exitCode()).isEqualTo(1);
        assertThat(none.err()).contains("the model has no chat template: give one with --chat-template FILE");
        assertThat(CommandLineRun.of(command("--chat-template", "chatml")).exitCode())
                .isEqualTo(2);
    }

    @Test
    void aReaderThatHasGoneAwayEndsItQuietly() {
        OutputStream closed = new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException("Broken pipe");
            }
        };
        assertThat(CommandLineRun.into(closed, command("--max-new-tokens", 40)))
                .isEqualTo(new CommandLineRun(0, "", ""));
    }

    @Test
    void optionsOutOfRangeAreWrongUsage() {
        for (Object[] options : List.of(
                new Object[] {"--temperature", -1},
                new Object[] {"--temperature", "NaN"},
                new Object[] {"--top-p", 0},
                new Object[] {"--top-p", 1.5},
                new Object[] {"--top-k", 0},
                new Object[] {"--max-new-tokens", -1},
                new Object[] {"--repetition-penalty", 0})) {
            CommandLineRun run = CommandLineRun.of(command(options));
            assertThat(run.exitCode()).as("%s %s", options).isEqualTo(2);
            assertThat(run.err().lines().toList()).hasSize(2);
        }
        assertThat(CommandLineRun.of(command("--top-k", 5, "--max-new-tokens", 1))
                        .err())
                .contains("--top-k and --top-p do nothing at --temperature 0");
    }

    @Test
    void whatCannotBeContinuedIsOneLine() throws IOException {
        assertThat(failure("generate", "--model", model, "--prompt", "")).contains("the prompt has no tokens");
        assertThat(failure("generate", "--model", model, "--prompt", "xyz ".repeat(200)))
                .contains("the model takes 128");
        assertThat(failure("generate", "--model", Fixture.of("gpt2").model(), "--prompt", "x"))
                .contains("tokenizer.json");
        assertThat(failure(
                        "generate",
                        "--model",
                        model,
                        "--adapter",
                        Fixture.of("gpt2").adapter(),
                        "--prompt",
                        "x"))
                .contains("made for another base model");
    }

    private static String failure(Object... args) {
        CommandLineRun run = CommandLineRun.of(args);
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.err().lines().toList()).hasSize(1);
        return run.err();
    }

    private static Object[] command(Object... options) {
        List<Object> args = new ArrayList<>(List.of("generate", "--model", model, "--prompt", "hello"));
        args.addAll(List.of(options));
        return args.toArray();
    }

    private static JsonObject json(Object... options) {
        List<Object> args = new ArrayList<>(List.of(command(options)));
        args.add("--json");
        return result(args.toArray());
    }

    private static JsonObject result(Object... args) {
        CommandLineRun run = CommandLineRun.of(args);
        assertThat(run.err()).isEmpty();
        return Json.parseObject(run.out(), "standard output");
    }

    private static List<Integer> promptIds() {
        try (Tokenizer tokenizer = Tokenizer.open(model, List.of())) {
            return Arrays.stream(tokenizer.encode("hello", true).ids()).boxed().toList();
        }
    }

    private static int likeliestAfter(List<Integer> text) {
        Path output = temp.resolve("logits.safetensors");
        String tokens = text.stream().map(String::valueOf).collect(Collectors.joining(","));
        assertThat(CommandLineRun.of("logits", "--model", model, "--tokens", tokens, "--output", output)
                        .exitCode())
                .isZero();
        try (SafetensorsFile file = SafetensorsFile.open(output)) {
            float[] logits = file.bytes("logits").toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
            int last = (text.size() - 1) * 384;
            int best = 0;
            for (int i = 1; i < 384; i++) {
                best = logits[last + i] > logits[last + best] ? i : best;
            }
            return best;
        }
    }
}
