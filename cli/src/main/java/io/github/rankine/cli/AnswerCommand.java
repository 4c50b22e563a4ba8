package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.generate.GenerationConfig;
import io.github.rankine.engine.generate.Generator;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import io.github.rankine.models.peft.AdapterPool;
import io.github.rankine.models.peft.PeftAdapter;
import io.github.rankine.models.tokenizer.TokenStreamDecoder;
import io.github.rankine.models.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code rankine adapters answer}. */
@Command(
        name = "answer",
        description = {
            "Continues the prompts of a file, each with the adapter that it names, over one base: every adapter is"
                    + " loaded once, and choosing another takes microseconds.",
            "A request is a line of JSON: {\"prompt\": \"…\", \"adapter\": \"NAME\"}; without an adapter the base"
                    + " itself answers. Each answer is a line of JSON, in the order of the requests."
        })
final class AnswerCommand implements Runnable {
    private final Terminal terminal;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--model",
            required = true,
            paramLabel = "DIR",
            description = "Folder of a Hugging Face checkpoint.")
    private Path model;

    @Option(
            names = "--adapter",
            required = true,
            paramLabel = "NAME=DIR",
            description = "Name and folder of a PEFT LoRA adapter; repeat it for each.")
    private List<String> named = new ArrayList<>();

    @Option(names = "--requests", required = true, paramLabel = "FILE", description = "The requests, as JSON Lines.")
    private Path requests;

    @Option(
            names = "--max-new-tokens",
            paramLabel = "N",
            description = "Tokens to add to a prompt at most (default: ${DEFAULT-VALUE}).")
    private int maxNewTokens = 256;

    @Mixin
    private QuantizeOption quantize;

    @Mixin
    private KernelOptions kernels;

    AnswerCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    /** A prompt and the name of its adapter; null for none. */
    private record Request(String prompt, String adapter) {}

    @Override
    public void run() {
        Usage.of(spec, () -> GenerationConfig.greedy(maxNewTokens, Set.of()));
        Map<String, Path> adapters = adapters();
        List<Request> wanted = read(adapters.keySet());
        try (Kernels own = kernels.open();
                CausalLanguageModel base = CausalLanguageModel.open(model, quantize.type());
                AdapterPool pool = new AdapterPool(base.decoder(), new SvdComponents(kernels, terminal));
                Tokenizer tokenizer = Tokenizer.open(model, base.config().eosTokenIds())) {
            adapters.forEach((name, folder) -> load(name, folder, pool, base));
            long bytes = base.decoder().parameters().stream()
                    .mapToLong(parameter -> parameter.value().bytes())
                    .sum();
            terminal.err()
                    .println(adapters.size() + (adapters.size() == 1 ? " adapter, " : " adapters, ")
                            + Figures.bytes(pool.bytes()) + " beside the base's " + Figures.bytes(bytes));
            Generator generator = new Generator(base.decoder(), own);
            for (Request request : wanted) {
                if (request.adapter == null) {
                    base.decoder().activate();
                } else {
                    base.decoder().activate(pool.get(request.adapter));
                }
                terminal.out().println(answer(request, generator, tokenizer).toString());
            }
        }
    }

    private ObjectNode answer(Request request, Generator generator, Tokenizer tokenizer) {
        int[] ids = tokenizer.encode(request.prompt, true).ids();
        TokenStreamDecoder decoder = tokenizer.streamAfter(ids);
        StringBuilder text = new StringBuilder();
        List<Integer> tokens =
                generator.generate(ids, GenerationConfig.greedy(maxNewTokens, tokenizer.eosTokenIds()), token -> {
                    text.append(decoder.next(token));
                    return true;
                });
        text.append(decoder.finish());
        ObjectNode result = Json.mapper().createObjectNode();
        result.put("adapter", request.adapter);
        result.put("text", text.toString());
        tokens.forEach(result.putArray("tokens")::add);
        return result;
    }

    private Map<String, Path> adapters() {
        Map<String, Path> adapters = new LinkedHashMap<>();
        for (String text : named) {
            int equals = text.indexOf('=');
            if (equals < 1 || equals == text.length() - 1) {
                throw Usage.wrong(spec, "--adapter " + text + ": expected NAME=DIR");
            }
            String name = text.substring(0, equals);
            if (adapters.put(name, Path.of(text.substring(equals + 1))) != null) {
                throw Usage.wrong(spec, "--adapter " + text + ": there is another of that name; give it its own");
            }
        }
        return adapters;
    }

    private void load(String name, Path folder, AdapterPool pool, CausalLanguageModel base) {
        pool.load(name, folder);
        AdapterNotes.quantization(folder, PeftAdapter.configuration(folder), base.quantization(), terminal);
        AdapterNotes.prefix(folder, List.of(), terminal);
    }

    private List<Request> read(Set<String> names) {
        List<Request> wanted = new ArrayList<>();
        int number = 0;
        for (String line : Json.readText(requests).split("\n", -1)) {
            number++;
            if (line.isBlank()) {
                continue;
            }
            JsonObject request = Json.parseObject(line, requests + ": line " + number);
            String adapter = request.string("adapter", null);
            if (adapter != null && !names.contains(adapter)) {
                throw request.error("adapter", "'" + adapter + "', expected one of " + String.join(", ", names));
            }
            String prompt = request.string("prompt");
            if (prompt.isEmpty()) {
                throw request.error("prompt", "empty; give it some text");
            }
            wanted.add(new Request(prompt, adapter));
        }
        if (wanted.isEmpty()) {
            throw new RankineException(requests + ": no requests; expected a line of JSON for each");
        }
        return wanted;
    }
}
