/** Tensors, kernels, tape, layers, LoRA, optimiser, trainer and generation: the JDK alone, no file format, no model family. */
package io.github.rankine.engine;
