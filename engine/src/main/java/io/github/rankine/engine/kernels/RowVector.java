package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Tensor;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;

/**
 * A vector in the order in which a weight's rows are multiplied with it.
 *
 * <p>Checkpoints put tensors at any multiple of eight bytes, and vectors that straddle cache lines arrive a third more slowly from memory.
 * So a row is read in units that begin at a line, and what lies before the first line and after the last whole unit is read by one more unit
 * each, that overlaps its neighbour and is masked:
 *
 * <pre>
 *   row      | head |  unit  |  unit  | … |  unit  | tail |
 *   first    [ kept | masked ]          last [ masked | kept ]
 * </pre>
 *
 * <p>Where head and tail make up a unit, the aligned units before the first one and after the last one are read instead, masked too: where rows
 * follow one another without a gap, the unit that ends a row begins the next.
 */
final class RowVector {
    /** Elements read at a time: a vector of words with two elements of bfloat16 each, or two vectors of float32. */
    static final int UNIT = 2 * LANES;

    /** Units at a row's edges: its first one, of which the head counts. */
    static final int FIRST = 0;
    /** The line before the row, of which its head counts. */
    static final int BEGINS = 1;
    /** The line after its last whole unit, of which its tail counts. */
    static final int ENDS = 2;
    /** Its last one, of which the tail counts. */
    static final int LAST = 3;

    static final int EDGES = 4;
    /** Where {@link #values} has the aligned units. */
    static final int UNITS = EDGES * UNIT;

    /** Of two vectors' lanes; an index beyond the first's means the second's. */
    private static final VectorShuffle<Float> EVEN = VectorShuffle.fromOp(SPECIES, i -> 2 * i);

    private static final VectorShuffle<Float> ODD = VectorShuffle.fromOp(SPECIES, i -> 2 * i + 1);

    /** The edges' units, zero where they do not count, then the aligned ones; in bfloat16's, the even elements go before the odd. */
    private float[] values = new float[0];

    /** Bits of the edges' units that count. */
    private final int[] edgeMasks = new int[EDGES * UNIT];

    private boolean sharesLines;
    private int count;
    private int head;
    private int tail;

    /** Takes over row {@code i} of {@code a}, to be multiplied with rows of {@code b}. */
    void set(Tensor a, long i, Operand b) {
        count = Math.toIntExact(a.cols());
        if (values.length < count + UNITS) {
            values = new float[count + UNITS];
        }
        Unpack.row(DType.F32, a.segment(), i * a.stride(), values, UNITS, count);
        head = 0;
        switch (b) {
            case Operand.Dense dense -> {
                if (count >= UNIT) {
                    arrange(dense);
                }
            }
            case Operand.Quantized quantized -> {
                if (QuantizedDots.separates(quantized.weight())) {
                    for (int at = UNITS; at < count + UNITS; at += UNIT) {
                        separate(at);
                    }
                }
            }
        }
    }

    /** Whether two weights take a row in the same order. */
    static boolean areAlike(Operand a, Operand b) {
        return a instanceof Operand.Dense first
                && b instanceof Operand.Dense second
                && first.type() == second.type()
                && first.cols() == second.cols()
                && head(first, (int) first.cols()) == head(second, (int) second.cols());
    }

    private void arrange(Operand.Dense b) {
        head = head(b, count);
        tail = (count - head) % UNIT;
        sharesLines = head + tail == UNIT;
        int bits = 8 * b.type().bytes();
        Arrays.fill(values, 0, UNITS, 0f);
        Arrays.fill(edgeMasks, 0);
        keep(FIRST, 0, 0, head, bits);
        keep(LAST, UNIT - tail, count - tail, tail, bits);
        if (sharesLines) {
            keep(BEGINS, tail, 0, head, bits);
            keep(ENDS, 0, count - tail, tail, bits);
        }
        System.arraycopy(values, UNITS + head, values, UNITS, count - head);
        if (b.type() == DType.BF16) {
            for (int at = 0; at <= UNITS - UNIT + count - head; at += UNIT) {
                separate(at);
            }
        }
    }

    /** Elements before the first cache line that begins within a row: none where that differs from row to row. */
    private static int head(Operand.Dense b, int count) {
        int line = SPECIES.vectorByteSize();
        int bytes = b.type().bytes();
        if (b.type() == DType.F16 || b.stride() * bytes % line != 0) {
            return 0;
        }
        long past = b.data().address() % line;
        int head = past == 0 || past % bytes != 0 ? 0 : (int) (line - past) / bytes;
        return count - head < UNIT ? 0 : head;
    }

    /** Of an edge's unit {@code size} elements from {@code at} on count: the row's from {@code from} on. */
    private void keep(int edge, int at, int from, int size, int bits) {
        System.arraycopy(values, UNITS + from, values, edge * UNIT + at, size);
        for (int element = at; element < at + size; element++) {
            int bit = element * bits;
            edgeMasks[edge * UNIT + bit / 32] |= bits == 32 ? -1 : 0xFFFF << bit % 32;
        }
    }

    private void separate(int at) {
        FloatVector first = FloatVector.fromArray(SPECIES, values, at);
        FloatVector second = FloatVector.fromArray(SPECIES, values, at + LANES);
        first.rearrange(EVEN, second).intoArray(values, at);
        first.rearrange(ODD, second).intoArray(values, at + LANES);
    }

    float[] values() {
        return values;
    }

    /** Bits that count, {@link #UNIT} words for each edge. */
    int[] edgeMasks() {
        return edgeMasks;
    }

    /** Whether the tail and the head make up a unit, so that a row's edges are read from aligned ones. */
    boolean sharesLines() {
        return sharesLines;
    }

    /** Whether no element of an edge's unit counts. */
    boolean lacks(int edge) {
        return (edge == FIRST || edge == BEGINS ? head : tail) == 0;
    }

    /** Elements from a row's start to where an edge's unit begins. */
    int edgeAt(int edge) {
        return switch (edge) {
            case FIRST -> 0;
            case BEGINS -> -tail;
            case ENDS -> count - tail;
            default -> count - UNIT;
        };
    }

    int count() {
        return count;
    }

    /** Elements of a row before its first whole unit. */
    int head() {
        return head;
    }

    /** Where the aligned units of {@link #values} end. */
    int end() {
        return UNITS + count - head - tail;
    }
}
