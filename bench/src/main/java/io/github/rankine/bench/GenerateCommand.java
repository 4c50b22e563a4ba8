package io.github.rankine.bench;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.generate.GenerationConfig;
import io.github.rankine.engine.generate.Generator;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.json.Json;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code bench/run generate}: how fast a prompt is read (prefill) and tokens follow it (decode). */
@Command(
        name = "generate",
        mixinStandardHelpOptions = true,
        description =
                "Continues a prompt of random tokens, greedily, several times; figures are medians after the first"
                        + " time. The read bandwidth is measured every few tokens.")
final class GenerateCommand implements Runnable {
    @Option(names = "--model", required = true, paramLabel = "DIR", description = "Folder of a checkpoint.")
    private Path model;

    @Option(names = "--prompt-length", paramLabel = "N", description = "Tokens (default: ${DEFAULT-VALUE}).")
    private int promptLength = 512;

    @Option(names = "--new-tokens", paramLabel = "N", description = "At least 2 (default: ${DEFAULT-VALUE}).")
    private int newTokens = 64;

    @Option(names = "--runs", paramLabel = "N", description = "At least 2 (default: ${DEFAULT-VALUE}).")
    private int runs = 6;

    @Option(names = "--quantize", paramLabel = "nf4|int8", description = "Quantise the weights, as generate does.")
    private QuantizedType quantize;

    @Mixin
    private RunOptions options;

    @Override
    public void run() {
        if (promptLength < 1 || newTokens < 2 || runs < 2) {
            throw new RankineException("--prompt-length must be at least 1, --new-tokens and --runs at least 2");
        }
        double[] prefill = new double[runs];
        double[] decode = new double[runs];
        try (CausalLanguageModel base = CausalLanguageModel.open(model, Optional.ofNullable(quantize));
                Kernels kernels = options.open();
                ReadBandwidth bandwidth = new ReadBandwidth(options.threads())) {
            List<MemorySegment> weights = base.decoder().parameters().stream()
                    .flatMap(parameter -> parameter.value().segments().stream())
                    .toList();
            // What can be measured is the host's bandwidth, which means nothing for weights on a device.
            boolean onHost = kernels.counters().isEmpty();
            Generator generator = new Generator(base.decoder(), kernels);
            int[] prompt = new Random(0)
                    .ints(promptLength, 0, base.decoder().vocabularySize())
                    .toArray();
            for (int run = 0; run < runs; run++) {
                if (run == 1) {
                    options.warmedUp();
                }
                TokenClock clock =
                        onHost ? TokenClock.withPauses(() -> bandwidth.measure(weights)) : TokenClock.withoutPauses();
                generator.generate(prompt, GenerationConfig.greedy(newTokens, Set.of()), _ -> {
                    clock.token();
                    return true;
                });
                if (clock.tokens() < newTokens) {
                    throw new RankineException("the model takes "
                            + base.decoder().maxPositions() + " tokens: lower --prompt-length or --new-tokens");
                }
                prefill[run] = promptLength / clock.firstSeconds();
                decode[run] = (newTokens - 1) / clock.followingSeconds();
                if (onHost) {
                    bandwidth.measure(weights);
                }
                if (run == 0) {
                    bandwidth.forget();
                }
            }
            ObjectNode result = result(prefill, decode, kernels, weights);
            if (onHost) {
                double limit = bandwidth.median();
                result.put("read_bytes_per_second", limit);
                result.put(
                        "decode_share_of_bandwidth",
                        result.get("decode_bytes_per_second").asDouble() / limit);
            }
            options.putKernelTimes(result, runs - 1);
            ThisProcess.putPeakMemory(result);
            options.print(result);
        }
    }

    private ObjectNode result(double[] prefill, double[] decode, Kernels kernels, List<MemorySegment> weights) {
        ObjectNode result = Json.mapper().createObjectNode();
        result.put("model", model.toString());
        result.put("kernels", kernels.name());
        result.put("threads", options.threads());
        result.put("prompt_length", promptLength);
        result.put("new_tokens", newTokens);
        result.put("prefill_tokens_per_second", Median.of(Arrays.copyOfRange(prefill, 1, runs)));
        double tokensPerSecond = Median.of(Arrays.copyOfRange(decode, 1, runs));
        result.put("decode_tokens_per_second", tokensPerSecond);
        // Every weight is read once a token; of an embedding that is not the head too, one row.
        double bytes = tokensPerSecond
                * weights.stream().mapToLong(MemorySegment::byteSize).sum();
        result.put("decode_bytes_per_second", bytes);
        return result;
    }
}
