package io.github.rankine.bench;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.files.AtomicFile;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code bench/run checkpoint}: random weights, for speed does not depend on what a model has learnt. */
@Command(
        name = "checkpoint",
        mixinStandardHelpOptions = true,
        description = "Writes a checkpoint of random weights in a real model's shape.")
final class CheckpointCommand implements Runnable {
    private static final List<String> SHAPES = List.of("smollm2-135m", "qwen2.5-0.5b", "llama3.2-1b");
    private static final double DEVIATION = 0.02;

    @Option(
            names = "--shape",
            required = true,
            paramLabel = "NAME",
            description = "smollm2-135m, qwen2.5-0.5b or llama3.2-1b.")
    private String shape;

    @Option(names = "--output", required = true, paramLabel = "DIR", description = "Folder to write, new or empty.")
    private Path output;

    @Option(names = "--type", paramLabel = "TYPE", description = "bf16, f16 or f32 (default: ${DEFAULT-VALUE}).")
    private String type = "bf16";

    @Option(names = "--seed", paramLabel = "N", description = "Of the weights (default: ${DEFAULT-VALUE}).")
    private long seed = 0;

    @Override
    public void run() {
        if (!SHAPES.contains(shape)) {
            throw new RankineException("--shape " + shape + ": there are " + String.join(", ", SHAPES));
        }
        requireEmpty();
        DType stored = Operands.type("--type", type);
        AtomicFile.createFolder(output);
        AtomicFile.writeText(output.resolve(ModelConfig.FILE), configuration());
        try (Arena arena = Arena.ofShared();
                CausalLanguageModel model =
                        CausalLanguageModel.initialize(ModelConfig.read(output), DEVIATION, seed, arena)) {
            model.save(output, stored);
        }
        System.out.println(output + ": random weights in the shape of " + shape + ", " + stored);
    }

    private void requireEmpty() {
        if (!Files.exists(output)) {
            return;
        }
        try (var content = Files.list(output)) {
            if (content.findAny().isPresent()) {
                throw new RankineException("--output " + output + ": is not empty; name a new folder");
            }
        } catch (IOException e) {
            throw new RankineException("--output " + output + ": cannot be listed (" + e.getMessage() + ")", e);
        }
    }

    private String configuration() {
        try (InputStream in = CheckpointCommand.class.getResourceAsStream("shapes/" + shape + ".json")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
