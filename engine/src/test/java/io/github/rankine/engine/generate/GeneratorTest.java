package io.github.rankine.engine.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.nn.KeyValueCache;
import io.github.rankine.engine.nn.TinyDecoder;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.Variable;
import io.github.rankine.engine.tape.Workspace;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GeneratorTest {
    private static final int[] PROMPT = {3, 1, 4, 1, 5, 9, 2, 6};

    private final Arena arena = Arena.ofShared();
    private final Kernels kernels = KernelsLookup.named("vector", 2);
    private final Decoder decoder = TinyDecoder.create(arena, 2);
    private final Generator generator = new Generator(decoder, kernels);

    @AfterEach
    void close() {
        decoder.close();
        kernels.close();
        arena.close();
    }

    @Test
    void theCacheGivesWhatReadingTheWholeTextGives() {
        List<Integer> generated = generate(GenerationConfig.greedy(12, Set.of()));
        int[] text = PROMPT;
        for (int token : generated) {
            float[] logits = lastLogits(text);
            assertThat(token)
                    .isEqualTo(IntStream.range(0, logits.length)
                            .reduce((a, b) -> logits[b] > logits[a] ? b : a)
                            .orElseThrow());
            text = IntStream.concat(IntStream.of(text), IntStream.of(token)).toArray();
        }
        assertThat(generated).hasSize(12);
    }

    @Test
    void aPromptInPartsEndsInTheLogitsOfTheWhole() {
        float[] whole = lastLogits(PROMPT);
        for (int first = 0; first < PROMPT.length; first++) {
            try (Workspace workspace = Workspace.empty(kernels);
                    KeyValueCache cache = decoder.newCache(PROMPT.length, kernels)) {
                workspace.reserve(1 << 20);
                Tape tape = Tape.withoutGradients(kernels, workspace);
                if (first > 0) {
                    tape.done(decoder.forward(tape, Arrays.copyOf(PROMPT, first), cache));
                }
                Variable hidden = decoder.forward(tape, Arrays.copyOfRange(PROMPT, first, PROMPT.length), cache);
                assertThat(hidden.rows()).isOne();
                assertThat(decoder.logits(tape, hidden).value().toArray()).containsExactly(whole, within(1e-5f));
            }
        }
    }

    @Test
    void aStopTokenEndsTheTextAndIsNotPartOfIt() {
        List<Integer> all = generate(GenerationConfig.greedy(12, Set.of()));
        int stop = all.get(4);
        assertThat(generate(GenerationConfig.greedy(12, Set.of(stop)))).isEqualTo(all.subList(0, all.indexOf(stop)));
    }

    @Test
    void aCallbackSeesEachTokenAndCanEndTheText() {
        List<Integer> seen = new ArrayList<>();
        List<Integer> generated = generator.generate(PROMPT, GenerationConfig.greedy(12, Set.of()), token -> {
            seen.add(token);
            return seen.size() < 3;
        });
        assertThat(generated).hasSize(3).isEqualTo(seen);
    }

    @Test
    void endsAtTheModelsLongestSequence() {
        assertThat(generate(GenerationConfig.greedy(1000, Set.of())))
                .hasSize(TinyDecoder.MAX_POSITIONS - PROMPT.length);
    }

    @Test
    void theSeedDecidesWhatIsSampled() {
        assertThat(generate(sampled(1))).isEqualTo(generate(sampled(1)));
        assertThat(generate(sampled(1))).isNotEqualTo(generate(sampled(2)));
    }

    @Test
    void samplesByProbability() {
        int[] counts = new int[3];
        Sampler sampler = new Sampler(new GenerationConfig(1, 1, 0, 1, 1, Set.of(), 4));
        for (int i = 0; i < 20000; i++) {
            counts[sampler.next(logs(0.5, 0.2, 0.3))]++;
        }
        assertThat(counts[0] / 20000.0).isCloseTo(0.5, within(0.02));
        assertThat(counts[1] / 20000.0).isCloseTo(0.2, within(0.02));
    }

    @Test
    void topKAndTopPLeaveTheLikeliest() {
        assertThat(drawn(new GenerationConfig(1, 1, 2, 1, 1, Set.of(), 4))).containsExactlyInAnyOrder(0, 2);
        assertThat(drawn(new GenerationConfig(1, 1, 0, 0.75, 1, Set.of(), 4))).containsExactlyInAnyOrder(0, 2);
        assertThat(drawn(new GenerationConfig(1, 1, 0, 0.4, 1, Set.of(), 4))).containsExactly(0);
        // Temperature comes before the nucleus: at 4 the probabilities are nearly even.
        assertThat(drawn(new GenerationConfig(1, 4, 0, 0.75, 1, Set.of(), 4))).containsExactlyInAnyOrder(0, 1, 2);
    }

    @Test
    void aRepetitionPenaltyMakesSeenTokensLessLikely() {
        Sampler sampler = new Sampler(new GenerationConfig(1, 0, 0, 1, 2, Set.of(), 0));
        sampler.see(0);
        assertThat(sampler.next(new float[] {3, 2, 1})).isEqualTo(1);
        assertThat(sampler.next(new float[] {-1, -1.5f, -3})).isEqualTo(1);
    }

    @Test
    void refusesPromptsThatTheModelCannotRead() {
        GenerationConfig greedy = GenerationConfig.greedy(1, Set.of());
        assertThatThrownBy(() -> generator.generate(new int[0], greedy, token -> true))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("no tokens");
        assertThatThrownBy(() -> generator.generate(new int[] {37}, greedy, token -> true))
                .hasMessageContaining("token 37");
        assertThatThrownBy(() -> generator.generate(new int[TinyDecoder.MAX_POSITIONS], greedy, token -> true))
                .hasMessageContaining("40 tokens");
    }

    private static Set<Integer> drawn(GenerationConfig config) {
        Sampler sampler = new Sampler(config);
        return Set.copyOf(IntStream.range(0, 500).mapToObj(i -> sampler.next(logs(0.5, 0.2, 0.3))).toList().stream()
                .distinct()
                .toList());
    }

    private static float[] logs(double... probabilities) {
        float[] logits = new float[probabilities.length];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) Math.log(probabilities[i]);
        }
        return logits;
    }

    private static GenerationConfig sampled(long seed) {
        return new GenerationConfig(12, 1, 0, 1, 1, Set.of(), seed);
    }

    private List<Integer> generate(GenerationConfig config) {
        return generator.generate(PROMPT, config, token -> true);
    }

    private float[] lastLogits(int[] text) {
        Tensor logits = Tensor.allocate(arena, text.length, TinyDecoder.VOCABULARY);
        Logits.of(decoder, kernels, text, logits);
        return logits.rows(text.length - 1, 1).toArray();
    }
}
