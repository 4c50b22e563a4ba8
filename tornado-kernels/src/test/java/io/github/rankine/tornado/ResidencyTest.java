package io.github.rankine.tornado;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.train.Sample;
import io.github.rankine.engine.train.StepMetrics;
import io.github.rankine.engine.train.Trainer;
import io.github.rankine.engine.train.TrainingConfig;
import io.github.rankine.engine.train.TrainingListener;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.peft.PeftAdapter;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a step of training on a device asks of the host. */
class ResidencyTest {
    private static final int STEPS = 4;
    private static final int TOKENS = 24;

    /** What was counted, and which graphs ran, up to the end of each step. */
    private record Run(List<Map<String, Long>> counters, List<Integer> graphsRun, List<String> graphs, int layers) {
        long perStep(int step, String counter) {
            return counters.get(step).get(counter) - counters.get(step - 1).get(counter);
        }

        List<String> graphsOf(int step) {
            return graphs.subList(graphsRun.get(step - 1), graphsRun.get(step));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aStepBringsTheLossAndTheNormToTheHostAndLaunchesTheSameGraphs(boolean recompute) {
        EmulatedDevice[] device = new EmulatedDevice[1];
        List<Long> trained = new ArrayList<>();
        Run run = train(source(64L << 20, device), device, recompute, trained);
        int last = STEPS - 1;
        // Losses in float32, sums of squares in float64.
        assertThat(run.perStep(last, "bytes_to_host")).isEqualTo(4L * (TOKENS - 2) + 8L * trained.size());
        long trainedBytes = trained.stream().mapToLong(Long::longValue).sum();
        assertThat(run.perStep(last, "bytes_to_host")).isLessThan(trainedBytes);
        // Ids, positions, targets, rows that see each other, and numbers: not the program, which is there.
        assertThat(run.perStep(last, "bytes_to_device")).isLessThan(5000);
        assertThat(run.perStep(last, "tasks")).isEqualTo(run.perStep(last - 1, "tasks"));
        assertThat(run.graphsOf(last)).isEqualTo(run.graphsOf(last - 1));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aLayersForwardIsOneGraphAndSoIsItsBackward(boolean recompute) {
        EmulatedDevice[] device = new EmulatedDevice[1];
        Run run = train(source(64L << 20, device), device, recompute, new ArrayList<>());
        List<String> graphs = run.graphsOf(STEPS - 1);
        assertThat(run.layers()).isGreaterThan(1);
        String forward = only(graphs, "attention ");
        String backward = only(graphs, "keyBackward");
        assertThat(Collections.frequency(graphs, forward)).isEqualTo(run.layers());
        // The lowest layer passes no gradient on.
        assertThat(graphs.stream().filter(graph -> graph.contains("keyBackward")))
                .hasSize(run.layers());
        assertThat(Collections.frequency(graphs, backward)).isGreaterThanOrEqualTo(run.layers() - 1);
    }

    private static String only(List<String> graphs, String kernel) {
        return graphs.stream()
                .filter(graph -> graph.contains(kernel))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void aRunThatLacksMemoryIsToldSoBeforeItBegins() {
        EmulatedDevice[] device = new EmulatedDevice[1];
        assertThatThrownBy(() -> train(source(32L << 20, device), device, false, new ArrayList<>()))
                .isInstanceOf(RankineException.class)
                .hasMessageMatching(
                        "the run needs \\d+ MiB of the device's memory \\(\\d+ MiB for tensors, \\d+ MiB for packed"
                                + " weights\\), the emulated device has 32 MiB: .*--kernels vector");
        assertThat(device[0]).isNull();
    }

    private static DeviceSource source(long memory, EmulatedDevice[] opened) {
        DeviceSource source = EmulatedDevice.source(memory);
        return new DeviceSource() {
            @Override
            public Device open(int floats, int words) {
                opened[0] = (EmulatedDevice) source.open(floats, words);
                return opened[0];
            }

            @Override
            public long memory() {
                return memory;
            }

            @Override
            public long unplanned() {
                return memory;
            }

            @Override
            public String allowance() {
                return source.allowance();
            }
        };
    }

    private static Run train(DeviceSource source, EmulatedDevice[] device, boolean recompute, List<Long> trained) {
        Path fixture = Fixtures.folder("llama-gqa");
        int[] ids = new int[TOKENS / 2];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = 1 + i;
        }
        TrainingConfig config = TrainingConfig.builder()
                .steps(STEPS)
                .batchSize(2)
                .recompute(recompute)
                .build();
        try (Arena arena = Arena.ofShared();
                TornadoKernels kernels = new TornadoKernels("emulated", source, QuantizedType.nf4Values());
                CausalLanguageModel model = CausalLanguageModel.open(fixture.resolve("model"));
                PeftAdapter files = PeftAdapter.open(fixture.resolve("adapter"))) {
            LoraAdapter adapter = files.load(model.decoder(), arena);
            model.decoder().activate(adapter);
            for (Parameter parameter : adapter.parameters()) {
                trained.add(parameter.value().bytes());
            }
            List<Map<String, Long>> counters = new ArrayList<>();
            List<Integer> graphsRun = new ArrayList<>();
            try (Trainer trainer = new Trainer(
                    model.decoder(),
                    kernels,
                    adapter.parameters(),
                    List.of(Sample.of(ids), Sample.of(ids)),
                    List.of(),
                    config)) {
                trainer.run(new TrainingListener() {
                    @Override
                    public void step(StepMetrics step) {
                        counters.add(kernels.counters());
                        graphsRun.add(device[0].graphs().size());
                    }
                });
            }
            return new Run(
                    counters, graphsRun, device[0].graphs(), model.decoder().layers());
        }
    }
}
