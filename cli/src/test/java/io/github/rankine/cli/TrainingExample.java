package io.github.rankine.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** A small run of {@code finetune}: sequences that count up by two, as token ids, on a model of 320 tokens. */
record TrainingExample(Path folder) {
    static final int STEPS = 24;

    Path data() {
        return write("train.jsonl", 1, 30);
    }

    Path evalData() {
        return write("valid.jsonl", 2, 4);
    }

    private Path write(String name, long seed, int count) {
        Random random = new Random(seed);
        String records = IntStream.range(0, count)
                .mapToObj(_ -> {
                    int start = random.nextInt(200);
                    return IntStream.range(0, 8 + random.nextInt(8))
                            .map(i -> start + 2 * i)
                            .mapToObj(Integer::toString)
                            .collect(Collectors.joining(",", "{\"input_ids\": [", "]}\n"));
                })
                .collect(Collectors.joining());
        try {
            return Files.writeString(folder.resolve(name), records);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The command line that trains for {@link #STEPS} steps and evaluates every ten. */
    Object[] arguments(Path output, Object... more) {
        List<Object> all = new ArrayList<>(List.of(
                "finetune",
                "--model",
                Fixture.of("llama-gqa").model(),
                "--data",
                data(),
                "--eval-data",
                evalData(),
                "--eval-every",
                10,
                "--learning-rate",
                0.01,
                "--dropout",
                0.1,
                "--rank",
                4,
                "--steps",
                STEPS,
                "--threads",
                1,
                "--output",
                output));
        all.addAll(Arrays.asList(more));
        return all.toArray();
    }

    /** The files of a run whose bytes follow from its command line. */
    static List<byte[]> reproducible(Path output) {
        return Stream.of(
                        "adapter_model.safetensors",
                        "adapter_config.json",
                        "README.md",
                        "training_state.safetensors",
                        "best/adapter_model.safetensors",
                        "best/README.md")
                .map(name -> bytes(output.resolve(name)))
                .toList();
    }

    static byte[] bytes(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
