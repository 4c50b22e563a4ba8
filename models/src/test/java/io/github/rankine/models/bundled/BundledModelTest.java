package io.github.rankine.models.bundled;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.train.Evaluation;
import io.github.rankine.engine.train.Sample;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.tokenizer.Tokenizer;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BundledModelTest {
    @TempDir
    private Path folder;

    @Test
    void isWhatPretrainingMakesItsFilesFrom() {
        BundledModel.unpack(folder);
        Map<String, String> files = BundledFiles.render(0);
        assertThat(files).hasSize(4);
        files.forEach((name, text) -> assertThat(folder.resolve(name)).hasContent(text));
        assertThat(folder.resolve("README.md")).content().contains("Rankine made it");
    }

    @Test
    void leavesEqualFilesAloneAndMendsOthers() throws IOException {
        BundledModel.unpack(folder);
        FileTime longAgo = FileTime.fromMillis(1_000_000);
        Path weights = folder.resolve(BundledModel.WEIGHTS);
        Path config = folder.resolve("config.json");
        String whole = Files.readString(config);
        Files.setLastModifiedTime(weights, longAgo);
        Files.writeString(config, "{}");
        BundledModel.unpack(folder);
        assertThat(Files.getLastModifiedTime(weights)).isEqualTo(longAgo);
        assertThat(config).hasContent(whole);
    }

    /** Far beyond what rounding to BF16 would do. */
    @Test
    void everyWeightWasTrained() {
        BundledModel.unpack(folder);
        try (CausalLanguageModel model = CausalLanguageModel.open(folder);
                Arena arena = Arena.ofShared();
                CausalLanguageModel fresh =
                        CausalLanguageModel.initialize(model.config(), BundledFiles.INITIALIZER_RANGE, 0, arena)) {
            List<Parameter> trained = List.copyOf(model.decoder().parameters());
            List<Parameter> initial = List.copyOf(fresh.decoder().parameters());
            assertThat(trained).hasSameSizeAs(initial).hasSize(2 + 4 * 9);
            for (int i = 0; i < trained.size(); i++) {
                String name = trained.get(i).name();
                assertThat(name).isEqualTo(initial.get(i).name());
                float[] after = trained.get(i).value().toTensor(arena).toArray();
                float[] before = initial.get(i).value().toTensor(arena).toArray();
                double change = 0;
                for (int k = 0; k < after.length; k++) {
                    change += Math.abs(after[k] - before[k]) / after.length;
                }
                assertThat(change).as(name).isGreaterThan(0.01);
            }
        }
    }

    /** That it was trained well: text of the same grammars costs it far less than the 6.9 nats of a guess. */
    @Test
    void knowsTheLanguageOfItsGrammars() {
        BundledModel.unpack(folder);
        try (CausalLanguageModel model = CausalLanguageModel.open(folder);
                Tokenizer tokenizer = Tokenizer.open(folder, model.config().eosTokenIds());
                Kernels kernels = KernelsLookup.named("vector", 2)) {
            PretrainingText text = new PretrainingText(12345);
            List<Sample> samples = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                samples.add(Sample.of(tokenizer.encode(text.next(), false).ids()));
            }
            assertThat(Evaluation.of(model.decoder(), kernels, samples, 8).loss())
                    .isLessThan(1.5);
        }
    }
}
