package io.github.rankine.cli;

import io.github.rankine.models.data.Dataset;

/** What losses are measured on; either may be null. */
record Samples(Dataset training, Dataset heldOut) {
    boolean isEmpty() {
        return training == null && heldOut == null;
    }
}
