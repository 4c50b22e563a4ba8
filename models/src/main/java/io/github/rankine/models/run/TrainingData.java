package io.github.rankine.models.run;

import io.github.rankine.engine.train.Sample;
import java.util.List;

/**
 * What a run learns from.
 *
 * @param name        what the model card calls it
 * @param samples     to learn
 * @param evalSamples to evaluate on, or none
 */
public record TrainingData(String name, List<Sample> samples, List<Sample> evalSamples) {
    public TrainingData {
        samples = List.copyOf(samples);
        evalSamples = List.copyOf(evalSamples);
    }
}
