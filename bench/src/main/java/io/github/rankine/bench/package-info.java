/** Benchmarks: single kernels through JMH, and whole training steps and generations as a user's command runs them. */
package io.github.rankine.bench;
