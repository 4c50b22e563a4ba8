/** Assembles the engine's decoder from a checkpoint: which tensor is which weight in each model family. */
package io.github.rankine.models.family;
