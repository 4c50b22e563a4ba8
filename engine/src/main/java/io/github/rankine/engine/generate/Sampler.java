package io.github.rankine.engine.generate;

import java.util.Arrays;
import java.util.BitSet;
import java.util.Random;

/** Chooses the next token from logits, in the order of Transformers' warpers: penalty, temperature, top k, top p. */
final class Sampler {
    private final GenerationConfig config;
    private final Random random;
    private final BitSet seen = new BitSet();

    Sampler(GenerationConfig config) {
        this.config = config;
        this.random = new Random(config.seed());
    }

    /** Notes a token of the text for the repetition penalty. */
    void see(int token) {
        seen.set(token);
    }

    /** The next token; {@code logits} are changed. */
    int next(float[] logits) {
        penalise(logits);
        if (config.temperature() == 0) {
            return likeliest(logits);
        }
        int[] candidates = candidates(logits);
        double[] weights = new double[candidates.length];
        double top = logits[candidates[0]];
        double total = 0;
        int kept = 0;
        for (; kept < candidates.length; kept++) {
            weights[kept] = Math.exp((logits[candidates[kept]] - top) / config.temperature());
            total += weights[kept];
        }
        if (config.topP() < 1) {
            kept = nucleus(weights, total);
            total = Arrays.stream(weights, 0, kept).sum();
        }
        double draw = random.nextDouble() * total;
        for (int i = 0; i < kept - 1; i++) {
            draw -= weights[i];
            if (draw < 0) {
                return candidates[i];
            }
        }
        return candidates[kept - 1];
    }

    private void penalise(float[] logits) {
        float penalty = (float) config.repetitionPenalty();
        if (penalty == 1) {
            return;
        }
        for (int token = seen.nextSetBit(0); token >= 0 && token < logits.length; token = seen.nextSetBit(token + 1)) {
            logits[token] = logits[token] < 0 ? logits[token] * penalty : logits[token] / penalty;
        }
    }

    /** The likeliest tokens first; ties go to the lower id, as everywhere here. */
    private int[] candidates(float[] logits) {
        long[] keys = new long[logits.length];
        for (int i = 0; i < keys.length; i++) {
            int bits = Float.floatToIntBits(logits[i]);
            int ascending = bits ^ ((bits >> 31) & Integer.MAX_VALUE);
            keys[i] = ((long) ~ascending << 32) | i;
        }
        Arrays.sort(keys);
        int count = config.topK() == 0 ? keys.length : Math.min(config.topK(), keys.length);
        int[] candidates = new int[count];
        for (int i = 0; i < count; i++) {
            candidates[i] = (int) keys[i];
        }
        return candidates;
    }

    /** How many of the descending weights it takes to reach the share {@code topP}. */
    private int nucleus(double[] weights, double total) {
        double sum = 0;
        for (int i = 0; i < weights.length; i++) {
            sum += weights[i];
            if (sum >= config.topP() * total) {
                return i + 1;
            }
        }
        return weights.length;
    }

    private static int likeliest(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            if (logits[i] > logits[best]) {
                best = i;
            }
        }
        return best;
    }
}
