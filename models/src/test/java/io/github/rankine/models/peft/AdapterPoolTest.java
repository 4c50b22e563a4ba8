package io.github.rankine.models.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.generate.GenerationConfig;
import io.github.rankine.engine.generate.Generator;
import io.github.rankine.engine.generate.Logits;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.LoraModule;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.engine.train.Sample;
import io.github.rankine.engine.train.Trainer;
import io.github.rankine.engine.train.TrainingConfig;
import io.github.rankine.engine.train.TrainingListener;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.family.CausalLanguageModel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.zip.CRC32;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Many adapters over one base: no row of a batch sees another's, and the base stays what it is. */
class AdapterPoolTest {
    private static final int ROWS = 16;

    @TempDir
    Path temporary;

    private final Arena arena = Arena.ofShared();
    private final Kernels kernels = KernelsLookup.named("vector", 2);
    private CausalLanguageModel model;
    private AdapterPool pool;

    @BeforeEach
    void open() {
        model = CausalLanguageModel.open(
                Fixtures.folder("llama-untied-llama3rope").resolve("model"));
        pool = new AdapterPool(model.decoder(), (layers, iterations, into) -> {
            throw new AssertionError("no PiSSA here");
        });
    }

    @AfterEach
    void close() {
        pool.close();
        model.close();
        kernels.close();
        arena.close();
    }

    /** An adapter with random matrices: plain, DoRA, of the head, of the embedding. */
    private void load(String name, LoraConfig config, long seed) {
        LoraAdapter adapter = LoraAdapter.initialize(config, model.decoder().shape(), seed, arena);
        Random random = new Random(seed);
        for (LoraModule module : adapter.modules().values()) {
            randomize(module.b().value(), random);
        }
        adapter.embeddings()
                .values()
                .forEach(embedding -> randomize(embedding.a().value(), random));
        Path folder = temporary.resolve(name);
        PeftAdapter.write(
                folder,
                new PeftConfig(config, Optional.of("base"), false, Optional.empty()),
                adapter.stored(arena),
                new ModelCard(OptionalLong.empty(), ""));
        pool.load(name, folder);
    }

    private static void randomize(Weight weight, Random random) {
        Tensor tensor = weight.asTensor();
        for (long row = 0; row < tensor.rows(); row++) {
            for (long col = 0; col < tensor.cols(); col++) {
                tensor.set(row, col, (float) (0.05 * random.nextGaussian()));
            }
        }
    }

    private void loadSixteen() {
        for (int i = 0; i < ROWS; i++) {
            String[] targets = switch (i % 4) {
                case 0 -> new String[] {"q_proj", "v_proj"};
                case 1 -> new String[] {"lm_head", "down_proj"};
                case 2 -> new String[] {"embed_tokens", "o_proj"};
                default -> new String[] {"gate_proj", "k_proj"};
            };
            LoraConfig config = LoraConfig.of(1 + i % 5, 8, new ModuleSelector.Suffixes(List.of(targets)))
                    .withDora(i % 4 == 3);
            load("adapter-" + i, config, i);
        }
    }

    private static int[] tokens(Random random, int length) {
        return random.ints(length, 0, 320).toArray();
    }

    private float[] logits(List<int[]> sequences) {
        int count = sequences.stream().mapToInt(tokens -> tokens.length).sum();
        Tensor out = Tensor.allocate(arena, count, model.decoder().vocabularySize());
        Logits.of(model.decoder(), kernels, sequences, out);
        return out.toArray();
    }

    @Test
    void sixteenRowsWithSixteenAdaptersGiveWhatEachGivesAlone() {
        loadSixteen();
        Random random = new Random(1);
        List<int[]> sequences = IntStream.range(0, ROWS + 2)
                .mapToObj(i -> tokens(random, 3 + i))
                .toList();
        List<LoraAdapter> chosen = new ArrayList<>();
        for (int i = 0; i < ROWS; i++) {
            chosen.add(pool.get("adapter-" + i));
        }
        chosen.add(5, null);
        chosen.add(9, chosen.get(8)); // two rows after one another with the same
        model.decoder().activatePerSequence(chosen);
        float[] together = logits(sequences);
        int at = 0;
        for (int s = 0; s < sequences.size(); s++) {
            if (chosen.get(s) == null) {
                model.decoder().activate();
            } else {
                model.decoder().activate(chosen.get(s));
            }
            float[] alone = logits(List.of(sequences.get(s)));
            for (float expected : alone) {
                assertThat(together[at++]).as("sequence %d", s).isCloseTo(expected, within(2e-5f));
            }
        }
        model.decoder().activate();
        float[] base = logits(sequences);
        assertThat(together).isNotEqualTo(base);
    }

    @Test
    void aSequenceWithAnAdapterOfItsOwnIsContinuedAsWithThatAdapter() {
        loadSixteen();
        int[] prompt = tokens(new Random(4), 9);
        GenerationConfig greedy = GenerationConfig.greedy(6, Set.of());
        Generator generator = new Generator(model.decoder(), kernels);
        model.decoder().activatePerSequence(List.of(pool.get("adapter-0")));
        List<Integer> own = generator.generate(prompt, greedy, _ -> true);
        model.decoder().activate(pool.get("adapter-0"));
        assertThat(generator.generate(prompt, greedy, _ -> true)).isEqualTo(own);
    }

    /** What a row gives depends on no other row's adapter, bit for bit. */
    @Test
    void aRowDependsOnNoOther() {
        loadSixteen();
        Random random = new Random(2);
        List<int[]> sequences =
                IntStream.range(0, 4).mapToObj(i -> tokens(random, 9)).toList();
        int half = 2 * 9 * model.decoder().vocabularySize();
        model.decoder().activatePerSequence(Arrays.asList(pool.get("adapter-0"), null, pool.get("adapter-1"), null));
        float[] first = logits(sequences);
        model.decoder().activatePerSequence(Arrays.asList(pool.get("adapter-0"), null, null, pool.get("adapter-3")));
        float[] second = logits(sequences);
        assertThat(Arrays.copyOf(second, half)).isEqualTo(Arrays.copyOf(first, half));
        assertThat(second).isNotEqualTo(first);
    }

    @Test
    void aThousandOperationsLeaveTheBaseAsItIs() {
        loadSixteen();
        List<int[]> sequences = List.of(new int[] {1, 2, 3}, new int[] {4, 5, 6, 7});
        float[] before = logits(sequences);
        long checksum = checksum();
        Random random = new Random(3);
        List<String> names = List.copyOf(pool.names());
        for (int i = 0; i < 1000; i++) {
            LoraAdapter one = pool.get(names.get(random.nextInt(ROWS)));
            LoraAdapter plain = pool.get(names.get(4 * random.nextInt(4)));
            switch (random.nextInt(6)) {
                case 0 -> model.decoder().activate();
                case 1 -> model.decoder().activate(one);
                case 2 -> model.decoder().activate(plain, pool.get("adapter-1"));
                case 3 -> model.decoder().activatePerSequence(Arrays.asList(one, null));
                case 4 -> model.decoder().merge(kernels, one);
                default -> model.decoder().unmerge();
            }
            if (i % 100 == 0 && !model.decoder().hasAdaptersPerSequence()) {
                logits(sequences);
            }
        }
        model.decoder().unmerge();
        model.decoder().activate();
        assertThat(checksum()).isEqualTo(checksum);
        assertThat(logits(sequences)).isEqualTo(before);
    }

    /** What is active lies over what is merged, and goes without a trace. */
    @Test
    void deactivatingGoesBackToWhatIsMerged() {
        LoraConfig saving = LoraConfig.of(2, 2, new ModuleSelector.Suffixes(List.of("q_proj")))
                .withModulesToSave(List.of("lm_head", "model.norm", "embed_tokens"));
        load("merged", saving, 1);
        load("other", saving.withModulesToSave(List.of("lm_head", "input_layernorm", "embed_tokens")), 2);
        LoraAdapter other = pool.get("other");
        for (LoraAdapter adapter : List.of(pool.get("merged"), other)) {
            Random random = new Random(adapter.parameters().size());
            adapter.replaced().values().forEach(parameter -> randomize(parameter.value(), random));
        }
        List<int[]> sequences = List.of(new int[] {1, 2, 3});
        float[] base = logits(sequences);
        model.decoder().activate(other);
        float[] otherAlone = logits(sequences);
        model.decoder().merge(kernels, pool.get("merged"));
        float[] merged = logits(sequences);
        assertThat(merged).isNotEqualTo(base).isNotEqualTo(otherAlone);
        model.decoder().activate(other);
        assertThat(logits(sequences)).isNotEqualTo(merged);
        model.decoder().activate();
        assertThat(logits(sequences)).isEqualTo(merged);
        model.decoder().activate(other);
        model.decoder().unmerge();
        assertThat(logits(sequences)).isEqualTo(otherAlone);
        model.decoder().activate();
        assertThat(logits(sequences)).isEqualTo(base);
    }

    /** DoRA measures the rows that are beneath it at the time. */
    @Test
    void doraFollowsTheBaseBeneathIt() {
        load("dora", LoraConfig.of(2, 2, new ModuleSelector.AllLinear()).withDora(true), 1);
        load("fresh", LoraConfig.of(2, 2, new ModuleSelector.AllLinear()).withDora(true), 1);
        LoraConfig plain = LoraConfig.of(4, 64, new ModuleSelector.AllLinear());
        load("plain", plain.withModulesToSave(List.of("o_proj")), 2);
        pool.get("plain").replaced().values().forEach(parameter -> randomize(parameter.value(), new Random(4)));
        List<int[]> sequences = List.of(new int[] {1, 2, 3});
        model.decoder().activate(pool.get("dora"));
        float[] before = logits(sequences);
        model.decoder().merge(kernels, pool.get("plain"));
        model.decoder().activate(pool.get("dora"));
        float[] again = logits(sequences);
        model.decoder().activate(pool.get("fresh"));
        assertThat(again).isEqualTo(logits(sequences)).isNotEqualTo(before);
        model.decoder().unmerge();
        model.decoder().activate(pool.get("dora"));
        assertThat(logits(sequences)).isEqualTo(before);
    }

    @Test
    void anAdapterWithoutWhatItsConfigurationSavesIsRefused() {
        LoraConfig config = LoraConfig.of(2, 2, new ModuleSelector.AllLinear());
        load("plain", config, 1);
        try (PeftAdapter plain = PeftAdapter.open(temporary.resolve("plain"))) {
            Path folder = temporary.resolve("lacking");
            PeftAdapter.write(
                    folder,
                    new PeftConfig(
                            config.withModulesToSave(List.of("model.norm")), Optional.empty(), false, Optional.empty()),
                    plain.weights(),
                    new ModelCard(OptionalLong.empty(), ""));
            assertThatThrownBy(() -> pool.load("lacking", folder))
                    .isInstanceOf(RankineException.class)
                    .hasMessageContaining("lacks model.norm.weight, which its modules_to_save name");
        }
    }

    private long checksum() {
        CRC32 crc = new CRC32();
        model.checkpoint().orElseThrow().tensors().forEach(tensor -> {
            MemorySegment bytes = model.checkpoint().orElseThrow().bytes(tensor.name());
            crc.update(bytes.asByteBuffer());
        });
        return crc.getValue();
    }

    @Test
    void anUnloadedAdapterIsGoneAndItsBytesWithIt() {
        loadSixteen();
        long all = pool.bytes();
        LoraAdapter one = pool.get("adapter-0");
        long own = one.frozenBytes()
                + one.parameters().stream()
                        .mapToLong(parameter -> parameter.value().bytes())
                        .sum();
        pool.unload("adapter-0");
        assertThat(pool.bytes()).isEqualTo(all - own);
        assertThatThrownBy(() -> pool.get("adapter-0"))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("adapter-1, adapter-2");
        assertThatThrownBy(() -> pool.load("adapter-1", temporary.resolve("adapter-1")))
                .hasMessageContaining("already");
    }

    @Test
    void whatCannotShareABatchIsRefused() {
        load("saved", LoraConfig.of(2, 2, new ModuleSelector.AllLinear()).withModulesToSave(List.of("model.norm")), 1);
        load("plain", LoraConfig.of(2, 2, new ModuleSelector.AllLinear()), 2);
        LoraAdapter plain = pool.get("plain");
        assertThatThrownBy(() -> model.decoder().activatePerSequence(List.of(pool.get("saved"), plain)))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("its own model.norm.weight");
        model.decoder().activatePerSequence(Collections.singletonList(plain));
        assertThatThrownBy(() -> logits(List.of(new int[] {1}, new int[] {2})))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("2 sequences, but adapters for 1");
        List<Sample> samples = List.of(Sample.of(new int[] {1, 2, 3}));
        try (Trainer trainer = new Trainer(
                model.decoder(),
                kernels,
                plain.parameters(),
                samples,
                List.of(),
                TrainingConfig.builder().steps(1).build())) {
            assertThatThrownBy(() -> trainer.run(new TrainingListener() {}))
                    .isInstanceOf(RankineException.class)
                    .hasMessageContaining("single sequences are for logits");
        }
    }

    @Test
    void anAdapterOfAnotherBaseIsRefusedInABatch() {
        load("plain", LoraConfig.of(2, 2, new ModuleSelector.AllLinear()), 2);
        try (CausalLanguageModel other =
                        CausalLanguageModel.open(Fixtures.folder("gpt2").resolve("model"));
                PeftAdapter stored = PeftAdapter.open(Fixtures.folder("gpt2").resolve("adapter"))) {
            LoraAdapter foreign = stored.load(other.decoder(), arena);
            assertThatThrownBy(() -> model.decoder().activatePerSequence(List.of(pool.get("plain"), foreign)))
                    .isInstanceOf(RankineException.class)
                    .hasMessageContaining("is not for this base");
        }
    }
}
