/** The oracle: the engine's kernels once more as plain double-precision loops, and the analysis of low-rank updates. */
package io.github.rankine.reference;
