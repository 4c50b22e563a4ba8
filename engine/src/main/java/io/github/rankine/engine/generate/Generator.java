package io.github.rankine.engine.generate;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.PlanningKernels;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.nn.KeyValueCache;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.Variable;
import io.github.rankine.engine.tape.Workspace;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntPredicate;

/** Continues token sequences with a decoder and its active adapters, keeping keys and values of what was read. */
public final class Generator {
    /** Tokens of a prompt that are read at a time, which bounds the memory of a long one. */
    private static final int PROMPT_CHUNK = 512;

    private final Decoder decoder;
    private final Kernels kernels;

    public Generator(Decoder decoder, Kernels kernels) {
        this.decoder = decoder;
        this.kernels = kernels;
    }

    /**
     * Generates until a stop token, {@code maxNewTokens}, the model's longest sequence, or a callback that says no more.
     *
     * @param prompt  at least one token
     * @param onToken given each new token as soon as it is known; false ends the text
     * @return the new tokens, without the stop token
     * @throws RankineException when the prompt is empty, too long or not of this vocabulary
     */
    public List<Integer> generate(int[] prompt, GenerationConfig config, IntPredicate onToken) {
        check(prompt);
        int room = decoder.maxPositions() - prompt.length;
        int limit = Math.min(config.maxNewTokens(), room);
        Sampler sampler = new Sampler(config);
        for (int token : prompt) {
            sampler.see(token);
        }
        List<Integer> tokens = new ArrayList<>();
        long planned = Math.max(planned(1), planned(Math.min(prompt.length, PROMPT_CHUNK)));
        if (kernels.haveOwnMemory()) {
            kernels.expect(decoder.memoryNeeds(planned + decoder.cacheBytes(prompt.length + limit)));
        }
        try (Workspace workspace = Workspace.empty(kernels);
                KeyValueCache cache = decoder.newCache(prompt.length + limit, kernels)) {
            workspace.reserve(planned);
            int[] next = prompt;
            while (tokens.size() < limit) {
                int token = sampler.next(read(workspace, next, cache));
                if (config.stopTokens().contains(token)) {
                    break;
                }
                tokens.add(token);
                sampler.see(token);
                if (!onToken.test(token)) {
                    break;
                }
                next = new int[] {token};
            }
        }
        return tokens;
    }

    private void check(int[] prompt) {
        if (prompt.length == 0) {
            throw new RankineException("the prompt has no tokens: give it some text");
        }
        if (prompt.length >= decoder.maxPositions()) {
            throw new RankineException("the prompt has " + prompt.length + " tokens, the model takes "
                    + decoder.maxPositions() + " with the answer: shorten it");
        }
        for (int token : prompt) {
            if (token < 0 || token >= decoder.vocabularySize()) {
                throw new RankineException(
                        "token " + token + " is not in the model's vocabulary of " + decoder.vocabularySize());
            }
        }
    }

    /** Memory for a pass over {@code count} tokens. */
    private long planned(int count) {
        try (Workspace planning = Workspace.planning();
                KeyValueCache cache = decoder.plannedCache(count)) {
            Tape tape = Tape.withoutGradients(PlanningKernels.create(), planning);
            Variable hidden = decoder.forward(tape, new int[count], cache);
            decoder.logits(tape, hidden);
            return planning.peak();
        }
    }

    /** Logits of the token after {@code ids}, which follow what the cache holds. */
    private float[] read(Workspace workspace, int[] ids, KeyValueCache cache) {
        Tape tape = Tape.withoutGradients(kernels, workspace);
        Variable hidden = null;
        for (int first = 0; first < ids.length; first += PROMPT_CHUNK) {
            if (hidden != null) {
                tape.done(hidden);
            }
            hidden = decoder.forward(
                    tape, Arrays.copyOfRange(ids, first, Math.min(first + PROMPT_CHUNK, ids.length)), cache);
        }
        Variable scores = decoder.logits(tape, hidden);
        tape.done(hidden);
        kernels.fetch(scores.value());
        float[] logits = scores.value().toArray();
        tape.done(scores);
        return logits;
    }
}
