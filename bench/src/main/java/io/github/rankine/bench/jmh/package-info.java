/** JMH benchmarks of single kernels, each told as a rate whose limit {@link io.github.rankine.bench.jmh.Peak} measures. */
package io.github.rankine.bench.jmh;
