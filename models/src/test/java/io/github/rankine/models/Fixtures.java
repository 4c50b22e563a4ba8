package io.github.rankine.models;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.train.Sample;
import io.github.rankine.models.safetensors.SafetensorsFile;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The checkpoints, adapters and numbers that PyTorch, Transformers and PEFT wrote for comparison. */
public final class Fixtures {
    /** The cases with a model, an adapter and golden numbers. */
    public static final List<String> CASES =
            List.of("llama-gqa", "llama-untied-llama3rope", "qwen2-bias", "gpt2", "llama-dora");

    /** The same over a base in bitsandbytes' NF4, quantised by an implementation in NumPy. */
    public static final List<String> QUANTIZED = List.of("llama-nf4", "gpt2-nf4");

    /** Kernels to compute golden numbers with, the main ones first; {@code -Drankine.test.kernels} has others tried. */
    public static final List<String> KERNELS = List.of(
            System.getProperty("rankine.test.kernels", "vector,reference").split(","));

    private static final int BATCH = 2;

    /** Open to the end: a device compiles its kernels once. */
    private static final Map<String, Kernels> OPEN = new HashMap<>();

    private Fixtures() {}

    /** Kernels by their name, which nobody closes. */
    public static Kernels kernels(String name) {
        Kernels kernels = OPEN.computeIfAbsent(name, wanted -> KernelsLookup.named(wanted, 2));
        assertThat(kernels.name()).isEqualTo(name);
        return kernels;
    }

    /** The folder of a case: {@code model}, {@code adapter}, {@code golden.safetensors}, {@code train.json}. */
    public static Path folder(String name) {
        try {
            return Path.of(Fixtures.class.getResource("/fixtures/" + name).toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The batch that a case's golden numbers are of, its padding taken off. */
    public static List<Sample> batch(SafetensorsFile golden) {
        long[] ids = longs(golden, "input_ids");
        long[] labels = longs(golden, "labels");
        long[] mask = longs(golden, "attention_mask");
        int length = ids.length / BATCH;
        List<Sample> samples = new ArrayList<>();
        for (int row = 0; row < BATCH; row++) {
            int kept = 0;
            while (kept < length && mask[row * length + kept] == 1) {
                kept++;
            }
            int[] inputIds = new int[kept];
            int[] keptLabels = new int[kept];
            for (int t = 0; t < kept; t++) {
                inputIds[t] = (int) ids[row * length + t];
                keptLabels[t] = (int) labels[row * length + t];
            }
            samples.add(new Sample(inputIds, keptLabels));
        }
        return samples;
    }

    private static long[] longs(SafetensorsFile golden, String tensor) {
        return golden.bytes(tensor).toArray(ValueLayout.JAVA_LONG_UNALIGNED);
    }
}
