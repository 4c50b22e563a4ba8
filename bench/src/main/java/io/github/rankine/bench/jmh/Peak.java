package io.github.rankine.bench.jmh;

import io.github.rankine.bench.MultiplyAddRate;
import io.github.rankine.bench.ReadBandwidth;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** What the machine can do at most: fused multiply-adds from registers, and bytes read from memory. */
@State(Scope.Benchmark)
@Fork(2)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@OutputTimeUnit(TimeUnit.SECONDS)
public class Peak {
    /** Far more than any cache holds. */
    private static final long BYTES = 512L << 20;

    @Param("1")
    public int threads;

    private MultiplyAddRate multiplyAdds;
    private ReadBandwidth bandwidth;
    private Arena arena;
    private MemorySegment memory;

    @Setup(Level.Trial)
    public void open() {
        multiplyAdds = new MultiplyAddRate(threads);
        bandwidth = new ReadBandwidth(threads);
        arena = Arena.ofShared();
        memory = arena.allocate(BYTES, 4096).fill((byte) 1);
    }

    @TearDown(Level.Trial)
    public void close() {
        multiplyAdds.close();
        bandwidth.close();
        arena.close();
    }

    @Benchmark
    public float fma(Rate rate) {
        rate.flop(multiplyAdds.flop());
        return multiplyAdds.run();
    }

    @Benchmark
    public int read(Rate rate) {
        rate.bytes(BYTES);
        return bandwidth.read(List.of(memory), 1);
    }

    /** The same as four streams side by side. */
    @Benchmark
    public int readFourStreams(Rate rate) {
        rate.bytes(BYTES);
        return bandwidth.read(List.of(memory), 4);
    }
}
