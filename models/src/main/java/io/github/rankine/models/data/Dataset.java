package io.github.rankine.models.data;

import io.github.rankine.engine.train.Sample;
import java.util.List;

/** The samples of a file, in its order, and what became of its records. */
public record Dataset(List<Sample> samples, DatasetReport report) {
    public Dataset {
        samples = List.copyOf(samples);
    }
}
