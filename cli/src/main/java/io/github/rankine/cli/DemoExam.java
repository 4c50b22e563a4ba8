package io.github.rankine.cli;

import io.github.rankine.engine.generate.GenerationConfig;
import io.github.rankine.engine.generate.Generator;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.models.bundled.DemoTask;
import io.github.rankine.models.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Lets a model, with the adapters that are active, answer examples: each token the likeliest one. */
final class DemoExam {
    /** Longer than any answer that is wanted. */
    private static final int MAX_NEW_TOKENS = 40;

    /** What the speed is measured over. */
    private static final int SPEED_PROMPTS = 10;

    private final Tokenizer tokenizer;
    private final Generator generator;

    /**
     * The answers to examples in their order.
     *
     * @param correct how many are what was wanted, letter for letter
     */
    record Answers(List<String> texts, int correct) {
        double share() {
            return (double) correct / texts.size();
        }

        /** As in {@code 97 of 100}. */
        String score() {
            return correct + " of " + texts.size();
        }
    }

    DemoExam(Decoder decoder, Tokenizer tokenizer, Kernels kernels) {
        this.tokenizer = tokenizer;
        this.generator = new Generator(decoder, kernels);
    }

    Answers take(List<DemoTask.Example> examples) {
        List<String> texts = new ArrayList<>();
        int correct = 0;
        for (DemoTask.Example example : examples) {
            String answer = answer(example.prompt());
            texts.add(answer);
            if (answer.equals(example.completion())) {
                correct++;
            }
        }
        return new Answers(texts, correct);
    }

    String answer(String prompt) {
        List<Integer> tokens = generate(prompt, tokenizer.eosTokenIds());
        return tokenizer.decode(tokens.stream().mapToInt(Integer::intValue).toArray(), true);
    }

    /** Tokens generated in a second, over texts of the same length whatever the model says. */
    double tokensPerSecond(List<DemoTask.Example> examples) {
        long start = System.nanoTime();
        int tokens = 0;
        for (DemoTask.Example example : examples.subList(0, Math.min(SPEED_PROMPTS, examples.size()))) {
            tokens += generate(example.prompt(), Set.of()).size();
        }
        return tokens / ((System.nanoTime() - start) * 1e-9);
    }

    private List<Integer> generate(String prompt, Set<Integer> stopTokens) {
        return generator.generate(
                tokenizer.encode(prompt, true).ids(), GenerationConfig.greedy(MAX_NEW_TOKENS, stopTokens), _ -> true);
    }
}
