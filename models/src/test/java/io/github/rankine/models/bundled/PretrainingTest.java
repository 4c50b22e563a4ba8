package io.github.rankine.models.bundled;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.train.StepMetrics;
import io.github.rankine.engine.train.TrainingListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PretrainingTest {
    @TempDir
    private Path folder;

    private List<Double> losses(Path output, int threads) {
        List<Double> losses = new ArrayList<>();
        try (Kernels kernels = KernelsLookup.named("vector", threads)) {
            new Pretraining(2, 4).run(output, kernels, new TrainingListener() {
                @Override
                public void step(StepMetrics metrics) {
                    losses.add(metrics.loss());
                }
            });
        }
        return losses;
    }

    @Test
    void trainsTheSameWayAgainWithAnyNumberOfThreads() throws IOException {
        Path first = folder.resolve("first");
        Path second = folder.resolve("second");
        List<Double> losses = losses(first, 1);
        assertThat(losses).hasSizeBetween(6, 7);
        // The first prediction is spread over 1024 tokens (6.9 nats, and some for the spread of fresh logits).
        assertThat(losses.getFirst()).isBetween(6.5, 12.0);
        assertThat(losses.getLast()).isLessThan(losses.getFirst());
        assertThat(losses(second, 2)).isEqualTo(losses);
        assertThat(second.resolve(BundledModel.WEIGHTS)).hasSameBinaryContentAs(first.resolve(BundledModel.WEIGHTS));
        assertThat(Files.size(first.resolve(BundledModel.WEIGHTS))).isGreaterThan(1_000_000);
    }
}
