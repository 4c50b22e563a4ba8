package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.generate.GenerationConfig;
import io.github.rankine.engine.generate.Generator;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.models.chat.ChatTemplate;
import io.github.rankine.models.chat.Message;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.tokenizer.Encoding;
import io.github.rankine.models.tokenizer.TokenStreamDecoder;
import io.github.rankine.models.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code rankine generate}. */
@Command(
        name = "generate",
        description = {
            "Continues a prompt. The continuation alone goes to standard output, as it comes.",
            "Always takes the likeliest token unless --temperature is above 0."
        })
final class GenerateCommand implements Runnable {
    private final Terminal terminal;

    @Spec
    private CommandSpec spec;

    @Mixin
    private ModelOptions model;

    @Option(names = "--prompt", required = true, paramLabel = "TEXT", description = "Text to continue.")
    private String prompt;

    @Option(names = "--chat", description = "Ask the prompt as a user, laid out by the model's chat template.")
    private boolean chat;

    @Option(
            names = "--chat-template",
            paramLabel = "FILE|chatml",
            description = "With --chat: Jinja template in place of the model's own.")
    private String chatTemplate;

    @Option(
            names = "--max-new-tokens",
            paramLabel = "N",
            description = "Tokens to add at most (default: ${DEFAULT-VALUE}).")
    private int maxNewTokens = 256;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            description = "Sample, with the logits divided by T; 0 takes the likeliest token (default:"
                    + " ${DEFAULT-VALUE}).")
    private double temperature;

    @Option(names = "--top-k", paramLabel = "K", description = "Sample among the K likeliest tokens (default: all).")
    private Integer topK;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            description = "Sample among the likeliest tokens that together have probability P (default:"
                    + " ${DEFAULT-VALUE}).")
    private double topP = 1;

    @Option(
            names = "--repetition-penalty",
            paramLabel = "X",
            description = "Above 1, make tokens of the prompt and the text less likely (default: ${DEFAULT-VALUE}).")
    private double repetitionPenalty = 1;

    @Option(names = "--seed", paramLabel = "N", description = "Of the sampling (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Mixin
    private KernelOptions kernels;

    @Mixin
    private JsonOption json;

    GenerateCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    /** Why the text ended, in the words of the usual servers. */
    private enum FinishReason {
        stop,
        length
    }

    @Override
    public void run() {
        checkOptions();
        try (Kernels kernels = this.kernels.open();
                LoadedModel loaded = model.load(this.kernels, terminal);
                Tokenizer tokenizer =
                        Tokenizer.open(model.folder(), loaded.config().eosTokenIds())) {
            int[] ids = promptIds(tokenizer);
            GenerationConfig config = config(tokenizer.eosTokenIds());
            TokenStreamDecoder decoder = tokenizer.streamAfter(ids);
            StringBuilder text = new StringBuilder();
            long start = System.nanoTime();
            List<Integer> tokens = new Generator(loaded.decoder(), kernels).generate(ids, config, token -> {
                emit(decoder.next(token), text);
                return true;
            });
            emit(decoder.finish(), text);
            double seconds = (System.nanoTime() - start) * 1e-9;
            int room = loaded.decoder().maxPositions() - ids.length;
            boolean full = tokens.size() == Math.min(maxNewTokens, room);
            if (json.wanted()) {
                report(text.toString(), tokens, ids.length, seconds, full ? FinishReason.length : FinishReason.stop);
            } else {
                terminal.out().print("\n");
            }
            if (full && room < maxNewTokens) {
                terminal.note("ended at the model's longest sequence, "
                        + loaded.decoder().maxPositions() + " tokens");
            }
        }
    }

    /** What would otherwise fail only after the model has been loaded, or do nothing without a word. */
    private void checkOptions() {
        config(Set.of());
        boolean readAsUtf8 = "UTF-8".equals(System.getProperty("sun.jnu.encoding"));
        if (!readAsUtf8 && prompt.indexOf('\uFFFD') >= 0) {
            throw Usage.wrong(
                    spec,
                    "--prompt has characters that Java cannot read in this locale: set LC_ALL to one with UTF-8, such"
                            + " as C.UTF-8");
        }
        if (topK != null && topK < 1) {
            throw Usage.wrong(spec, "--top-k " + topK + ": must be at least 1");
        }
        if (chatTemplate != null && !chat) {
            throw Usage.wrong(spec, "--chat-template needs --chat");
        }
        if (temperature == 0 && (topK != null || topP < 1)) {
            terminal.note("--top-k and --top-p do nothing at --temperature 0");
        }
    }

    private GenerationConfig config(Set<Integer> stopTokens) {
        return Usage.of(
                spec,
                () -> new GenerationConfig(
                        maxNewTokens, temperature, topK == null ? 0 : topK, topP, repetitionPenalty, stopTokens, seed));
    }

    private int[] promptIds(Tokenizer tokenizer) {
        if (chat) {
            ChatTemplate template = chatTemplate == null
                    ? ChatTemplate.of(tokenizer.config())
                            .orElseThrow(() -> new RankineException(model.folder()
                                    + ": the model has no chat template: give one with --chat-template FILE or"
                                    + " --chat-template chatml, or leave out --chat"))
                    : ChatTemplate.named(chatTemplate, tokenizer.config());
            return tokenizer
                    .encode(template.render(List.of(new Message("user", prompt)), true), false)
                    .ids();
        }
        Encoding encoding = tokenizer.encode(prompt, true);
        int[] ids = encoding.ids();
        int last = ids.length - 1;
        // A tokenizer that ends every text would end this one before it goes on.
        boolean ended = last >= 0
                && encoding.starts()[last] == Encoding.NOWHERE
                && tokenizer.eosTokenIds().contains(ids[last])
                && last > 0;
        return ended ? Arrays.copyOf(ids, last) : ids;
    }

    private void emit(String piece, StringBuilder text) {
        text.append(piece);
        if (!json.wanted()) {
            terminal.out().print(piece);
        }
    }

    private void report(String text, List<Integer> tokens, int promptTokens, double seconds, FinishReason reason) {
        ObjectNode result = Json.mapper().createObjectNode();
        result.put("text", text);
        tokens.forEach(result.putArray("tokens")::add);
        result.put("prompt_tokens", promptTokens);
        result.put("finish_reason", reason.name());
        result.put("seconds", seconds);
        result.put("tokens_per_second", tokens.size() / seconds);
        terminal.out().println(result);
    }
}
