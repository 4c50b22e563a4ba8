package io.github.rankine.bench.jmh;

import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/** What an invocation did, by what limits it: JMH divides by the time, so that GFLOP/s and GB/s stand in its table. */
@State(Scope.Thread)
@AuxCounters(AuxCounters.Type.OPERATIONS)
public class Rate {
    /** 10⁹ floating-point operations; a fused multiply-add is two. */
    public double gflop;
    /** 10⁹ bytes that have to be read or written at least once. */
    public double gbyte;

    void flop(double count) {
        gflop += count * 1e-9;
    }

    void bytes(double count) {
        gbyte += count * 1e-9;
    }
}
