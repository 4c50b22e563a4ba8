package io.github.rankine.engine.nn;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;

/**
 * Cosines and sines of the rotary position embedding (Su et al. 2021), computed in float32 step by step as Transformers
 * does, so that long positions agree with it.
 */
public final class RotaryTable implements AutoCloseable {
    private final float[] inverseFrequencies;
    private Arena arena = Arena.ofShared();
    private Tensor table;

    /** @param inverseFrequencies angle per position of each of the headDim / 2 pairs */
    public RotaryTable(float[] inverseFrequencies) {
        this.inverseFrequencies = inverseFrequencies.clone();
        this.table = Tensor.allocate(arena, 0, 2L * inverseFrequencies.length);
    }

    /** {@code θ^(−2i/headDim)}. */
    public static float[] frequencies(int headDim, double theta) {
        float[] inverse = new float[headDim / 2];
        for (int i = 0; i < inverse.length; i++) {
            inverse[i] = 1f / (float) Math.pow(theta, (float) (2 * i) / headDim);
        }
        return inverse;
    }

    /** Linear scaling: positions as if the context were {@code factor} times shorter (Chen et al. 2023). */
    public static float[] linear(float[] inverse, double factor) {
        float[] scaled = inverse.clone();
        for (int i = 0; i < scaled.length; i++) {
            scaled[i] /= (float) factor;
        }
        return scaled;
    }

    /**
     * Llama 3's scaling (Dubey et al. 2024): long waves are stretched by {@code factor}, short ones kept, those between
     * blended.
     */
    public static float[] llama3(
            float[] inverse, double factor, double lowFrequencyFactor, double highFrequencyFactor, double context) {
        double lowFrequencyWave = context / lowFrequencyFactor;
        double highFrequencyWave = context / highFrequencyFactor;
        float[] scaled = inverse.clone();
        for (int i = 0; i < scaled.length; i++) {
            float wave = (float) (2 * Math.PI) / inverse[i];
            if (wave > lowFrequencyWave) {
                scaled[i] = inverse[i] / (float) factor;
            } else if (wave >= highFrequencyWave) {
                float smooth = ((float) context / wave - (float) lowFrequencyFactor)
                        / (float) (highFrequencyFactor - lowFrequencyFactor);
                scaled[i] = (1 - smooth) * inverse[i] / (float) factor + smooth * inverse[i];
            }
        }
        return scaled;
    }

    /** {@code [≥ positions, headDim]}: for each position the cosines of its angles, then the sines. */
    Tensor upTo(int positions) {
        if (table.rows() < positions) {
            grow(Math.max(positions, Math.toIntExact(Math.min(2 * table.rows(), 1 << 20))));
        }
        return table;
    }

    private void grow(int positions) {
        Arena previous = arena;
        arena = Arena.ofShared();
        int pairs = inverseFrequencies.length;
        table = Tensor.allocate(arena, positions, 2L * pairs);
        for (int position = 0; position < positions; position++) {
            for (int i = 0; i < pairs; i++) {
                float angle = position * inverseFrequencies[i];
                table.set(position, i, (float) Math.cos(angle));
                table.set(position, pairs + i, (float) Math.sin(angle));
            }
        }
        previous.close();
    }

    @Override
    public void close() {
        arena.close();
    }
}
