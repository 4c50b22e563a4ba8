package io.github.rankine.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.nn.TinyDecoder;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TrainerTest {
    private final Arena arena = Arena.ofShared();
    private final Kernels kernels = KernelsLookup.named("vector", 2);

    @AfterEach
    void close() {
        kernels.close();
        arena.close();
    }

    @Test
    void lossFallsAndTheBaseStaysAsItWas() {
        Decoder decoder = TinyDecoder.create(arena, 1);
        List<float[]> before = values(List.copyOf(decoder.parameters()));
        LoraAdapter adapter = adapter(decoder, 0);
        List<StepMetrics> steps = train(decoder, adapter, config().steps(40).build(), samples(8));
        assertThat(steps.getLast().loss()).isLessThan(0.7 * steps.getFirst().loss());
        assertThat(values(List.copyOf(decoder.parameters())))
                .usingRecursiveComparison()
                .isEqualTo(before);
    }

    @Test
    void accumulatedBatchesAreWeightedByTheirTokens() {
        StepMetrics whole = train(config().batchSize(6).steps(1).build()).getFirst();
        StepMetrics parts = train(
                        config().batchSize(2).gradientAccumulation(3).steps(1).build())
                .getFirst();
        assertThat(parts.loss()).isCloseTo(whole.loss(), within(1e-6));
        assertThat(parts.gradNorm()).isCloseTo(whole.gradNorm(), within(1e-5 * whole.gradNorm()));
        assertThat(parts.tokens()).isEqualTo(whole.tokens());
    }

    @Test
    void batchesAndAccumulationMayExceedTheData() {
        StepMetrics whole = train(config().batchSize(6).steps(1).build()).getFirst();
        StepMetrics more = train(config().batchSize(Integer.MAX_VALUE)
                        .gradientAccumulation(Integer.MAX_VALUE)
                        .steps(1)
                        .build())
                .getFirst();
        assertThat(more.tokens()).isEqualTo(whole.tokens());
        assertThat(more.loss()).isCloseTo(whole.loss(), within(1e-6));
    }

    @Test
    void refusesMoreEpochsThanStepsCanBeCounted() {
        assertThatThrownBy(() ->
                        train(config().batchSize(1).epochs(Integer.MAX_VALUE).build()))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith("epochs 2147483647: ");
    }

    @Test
    void packedSamplesDoNotSeeEachOther() {
        StepMetrics apart = train(config().batchSize(6).steps(1).build()).getFirst();
        StepMetrics packed = train(config().batchSize(6)
                        .steps(1)
                        .packing(true)
                        .maxLength(30)
                        .build())
                .getFirst();
        assertThat(packed.loss()).isCloseTo(apart.loss(), within(1e-6));
        assertThat(packed.gradNorm()).isCloseTo(apart.gradNorm(), within(1e-5 * apart.gradNorm()));
    }

    @Test
    void recomputedBlocksTrainTheSameBitsInLessMemory() {
        for (List<String> targets : List.of(List.of("q_proj", "down_proj"), List.of("layers.1.mlp.up_proj"))) {
            Decoder decoder = TinyDecoder.create(arena, 1);
            LoraConfig lora = new LoraConfig(
                    4,
                    8,
                    0.2,
                    new ModuleSelector.Suffixes(targets),
                    null,
                    List.of(),
                    List.of(),
                    Map.of(),
                    Map.of(),
                    false);
            LoraAdapter kept = LoraAdapter.initialize(lora, decoder.shape(), 3, arena);
            LoraAdapter recomputed = LoraAdapter.initialize(lora, decoder.shape(), 3, arena);
            TrainingConfig config = config().batchSize(3).steps(6).build();
            List<StepMetrics> steps = train(decoder, kept, config, samples(6));
            List<StepMetrics> again = train(decoder, recomputed, config.withRecompute(true), samples(6));
            assertThat(again.stream().map(StepMetrics::loss))
                    .isEqualTo(steps.stream().map(StepMetrics::loss).toList());
            assertThat(values(recomputed.parameters()))
                    .usingRecursiveComparison()
                    .isEqualTo(values(kept.parameters()));
        }
    }

    @Test
    void recomputedBlocksTrainEveryWeightAlike() {
        Decoder decoder = TinyDecoder.create(arena, 1);
        Decoder other = TinyDecoder.create(arena, 1);
        TrainingConfig config = config().batchSize(3).steps(4).build();
        for (Decoder each : List.of(decoder, other)) {
            List<Parameter> all = List.copyOf(each.parameters());
            TrainingConfig run = config.withRecompute(each == other);
            try (Trainer trainer = new Trainer(each, kernels, all, samples(6), List.of(), run)) {
                trainer.run(new TrainingListener() {});
            }
        }
        assertThat(values(List.copyOf(other.parameters())))
                .usingRecursiveComparison()
                .isEqualTo(values(List.copyOf(decoder.parameters())));
    }

    @Test
    void recomputedBlocksTakeLessMemory() {
        Decoder decoder = TinyDecoder.create(arena, 1);
        LoraAdapter adapter = adapter(decoder, 0);
        decoder.activate(adapter);
        adapter.parameters().forEach(parameter -> parameter.train(arena));
        MemoryPlan kept = MemoryPlan.of(decoder, adapter.parameters(), 32, config().build());
        MemoryPlan recomputed = MemoryPlan.of(
                decoder, adapter.parameters(), 32, config().recompute(true).build());
        assertThat(recomputed.activations()).isLessThan(kept.activations());
        assertThat(recomputed.total() - recomputed.activations()).isEqualTo(kept.total() - kept.activations());
    }

    @Test
    void anInterruptedRunContinuesBitForBit() {
        TrainingConfig config = config().batchSize(2).epochs(4).shuffle(true).build();
        Decoder decoder = TinyDecoder.create(arena, 1);
        LoraAdapter uninterrupted = adapter(decoder, 0.2);
        train(decoder, uninterrupted, config, samples(6));

        LoraAdapter first = adapter(decoder, 0.2);
        decoder.activate(first);
        Map<String, float[]> saved = new LinkedHashMap<>();
        int stopAt = 5;
        try (Trainer trainer = trainer(decoder, first, config, samples(6))) {
            trainer.run(new TrainingListener() {
                @Override
                public boolean stopRequested() {
                    return trainer.step() == stopAt;
                }
            });
            trainer.state().forEach((name, tensor) -> saved.put(name, tensor.toArray()));
        }
        LoraAdapter second = adapter(decoder, 0.2);
        decoder.activate(second);
        try (Trainer trainer = trainer(decoder, second, config, samples(6))) {
            trainer.state()
                    .forEach((name, tensor) ->
                            tensor.copyFrom(Tensor.copyOf(arena, tensor.rows(), tensor.cols(), saved.get(name))));
            trainer.resumeAfter(stopAt, Double.POSITIVE_INFINITY);
            trainer.run(new TrainingListener() {});
            assertThat(trainer.step()).isEqualTo(12);
        }
        assertThat(values(second.parameters()))
                .usingRecursiveComparison()
                .isEqualTo(values(uninterrupted.parameters()));
    }

    @Test
    void theNumberOfThreadsChangesNoBit() {
        List<List<float[]>> results = new ArrayList<>();
        for (int threads : new int[] {1, 2, 5}) {
            try (Kernels some = KernelsLookup.named("vector", threads)) {
                Decoder decoder = TinyDecoder.create(arena, 1);
                LoraAdapter adapter = adapter(decoder, 0.1);
                decoder.activate(adapter);
                try (Trainer trainer = new Trainer(
                        decoder,
                        some,
                        adapter.parameters(),
                        samples(6),
                        List.of(),
                        config().steps(5).build())) {
                    trainer.run(new TrainingListener() {});
                }
                results.add(values(adapter.parameters()));
            }
        }
        assertThat(results.get(1)).usingRecursiveComparison().isEqualTo(results.get(0));
        assertThat(results.get(2)).usingRecursiveComparison().isEqualTo(results.get(0));
    }

    @Test
    void everyWeightOfAModelCanBeTrained() {
        Decoder decoder = TinyDecoder.create(arena, 3);
        List<Parameter> all = List.copyOf(decoder.parameters());
        List<Sample> samples = samples(3);
        TrainingConfig config =
                config().batchSize(3).steps(1).learningRate(1e-30).build();
        try (Trainer trainer = new Trainer(decoder, kernels, all, samples, List.of(), config)) {
            trainer.run(new TrainingListener() {});
            Random random = new Random(5);
            for (Parameter parameter : all) {
                Tensor value = parameter.value().asTensor();
                for (int i = 0; i < 3; i++) {
                    long row = random.nextLong(value.rows());
                    long col = random.nextLong(value.cols());
                    double expected = difference(decoder, samples, value, row, col);
                    assertThat((double) parameter.gradient().get(row, col))
                            .as("%s[%s, %s]", parameter.name(), row, col)
                            .isCloseTo(expected, within(1e-3 + 0.01 * Math.abs(expected)));
                }
            }
        }
    }

    private double difference(Decoder decoder, List<Sample> samples, Tensor value, long row, long col) {
        float middle = value.get(row, col);
        float h = 5e-3f;
        value.set(row, col, middle + h);
        double above = Evaluation.of(decoder, kernels, samples, 8).loss();
        value.set(row, col, middle - h);
        double below = Evaluation.of(decoder, kernels, samples, 8).loss();
        value.set(row, col, middle);
        return (above - below) / (2 * h);
    }

    @Test
    void aLossThatIsNotANumberEndsTheRunWithTheLastGoodState() {
        Decoder decoder = TinyDecoder.create(arena, 1);
        LoraAdapter adapter = adapter(decoder, 0);
        decoder.activate(adapter);
        List<float[]> lastGood = new ArrayList<>();
        try (Trainer trainer = trainer(decoder, adapter, config().steps(10).build(), samples(6))) {
            TrainingListener poison = new TrainingListener() {
                @Override
                public void step(StepMetrics metrics) {
                    if (metrics.step() == 3) {
                        lastGood.addAll(values(adapter.parameters()));
                        decoder.parameters().getFirst().value().asTensor().set(5, 0, Float.NaN);
                    }
                }
            };
            assertThatThrownBy(() -> trainer.run(poison))
                    .isInstanceOf(NonFiniteLossException.class)
                    .hasMessageContaining("step 4")
                    .hasMessageContaining("learning rate");
            assertThat(trainer.step()).isEqualTo(3);
        }
        assertThat(values(adapter.parameters())).usingRecursiveComparison().isEqualTo(lastGood);
    }

    @Test
    void evaluatesAsAskedAndTellsTheBest() {
        Decoder decoder = TinyDecoder.create(arena, 1);
        LoraAdapter adapter = adapter(decoder, 0);
        decoder.activate(adapter);
        List<Integer> evaluated = new ArrayList<>();
        List<Boolean> improvements = new ArrayList<>();
        TrainingConfig config = config().steps(7).evalEvery(3).build();
        try (Trainer trainer = new Trainer(decoder, kernels, adapter.parameters(), samples(6), samples(2), config)) {
            trainer.run(new TrainingListener() {
                @Override
                public void evaluated(int step, Evaluation evaluation, boolean improved) {
                    evaluated.add(step);
                    improvements.add(improved);
                    assertThat(evaluation.tokens())
                            .isEqualTo(samples(2).stream()
                                    .mapToInt(Sample::learnedTokens)
                                    .sum());
                }
            });
        }
        assertThat(evaluated).containsExactly(3, 6, 7);
        assertThat(improvements.getFirst()).isTrue();
    }

    @Test
    void refusesSamplesThatTheModelCannotTake() {
        Decoder decoder = TinyDecoder.create(arena, 1);
        LoraAdapter adapter = adapter(decoder, 0);
        Sample nothingLearned = new Sample(new int[] {1, 2}, new int[] {1, Sample.IGNORED});
        assertThatThrownBy(() -> trainer(decoder, adapter, config().build(), List.of(nothingLearned)))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("no token to learn");
        assertThatThrownBy(() -> trainer(decoder, adapter, config().build(), List.of(Sample.of(1, 37))))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("token 37");
        assertThatThrownBy(() -> trainer(decoder, adapter, config().build(), List.of()))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("no samples");
    }

    private static TrainingConfig.Builder config() {
        return TrainingConfig.builder().learningRate(0.01).shuffle(false);
    }

    private LoraAdapter adapter(Decoder decoder, double dropout) {
        LoraConfig config = new LoraConfig(
                4, 8, dropout, new ModuleSelector.AllLinear(), null, List.of(), List.of(), Map.of(), Map.of(), false);
        return LoraAdapter.initialize(config, decoder.shape(), 7, arena);
    }

    private static List<Sample> samples(int count) {
        Random random = new Random(11);
        List<Sample> samples = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int[] ids = random.ints(5 + 3 * i % 11, 0, TinyDecoder.VOCABULARY).toArray();
            int[] labels = ids.clone();
            labels[1] = Sample.IGNORED;
            samples.add(new Sample(ids, labels));
        }
        return samples;
    }

    private List<StepMetrics> train(TrainingConfig config) {
        Decoder decoder = TinyDecoder.create(arena, 1);
        return train(decoder, adapter(decoder, 0), config, samples(6));
    }

    private List<StepMetrics> train(Decoder decoder, LoraAdapter adapter, TrainingConfig config, List<Sample> samples) {
        decoder.activate(adapter);
        List<StepMetrics> steps = new ArrayList<>();
        try (Trainer trainer = trainer(decoder, adapter, config, samples)) {
            trainer.run(new TrainingListener() {
                @Override
                public void step(StepMetrics metrics) {
                    steps.add(metrics);
                }
            });
        }
        return steps;
    }

    private Trainer trainer(Decoder decoder, LoraAdapter adapter, TrainingConfig config, List<Sample> samples) {
        return new Trainer(decoder, kernels, adapter.parameters(), samples, List.of(), config);
    }

    private static List<float[]> values(List<Parameter> parameters) {
        return parameters.stream()
                .map(parameter -> parameter.value().asTensor().toArray())
                .toList();
    }
}
