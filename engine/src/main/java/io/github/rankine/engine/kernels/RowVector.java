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
 */
final class RowVector {
    /** Elements read at a time: a vector of words with two elements of bfloat16 each, or two vectors of float32. */
    static final int UNIT = 2 * LANES;
    /** Where {@link #values} has the unit that begins a row. */
    static final int FIRST = 0;
    /** … the one that ends it. */
    static final int LAST = UNIT;
    /** … the one that has a row's end and the next one's beginning. */
    static final int SHARED = 2 * UNIT;
    /** … the aligned ones. */
    static final int UNITS = 3 * UNIT;

    /** Of two vectors' lanes; an index beyond the first's means the second's. */
    private static final VectorShuffle<Float> EVEN = VectorShuffle.fromOp(SPECIES, i -> 2 * i);

    private static final VectorShuffle<Float> ODD = VectorShuffle.fromOp(SPECIES, i -> 2 * i + 1);

    /** The first unit, the last one, then the aligned ones; in bfloat16's, the even elements go before the odd. */
    private float[] values = new float[0];

    /** Bits of the first and of the last unit that count. */
    private final int[] firstMask = new int[UNIT];

    private final int[] lastMask = new int[UNIT];

    private final int[] tailMask = new int[UNIT];
    private final int[] headMask = new int[UNIT];
    private final int[] noMask = new int[UNIT];

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
        System.arraycopy(values, UNITS, values, 0, UNIT);
        System.arraycopy(values, UNITS + count - UNIT, values, UNIT, UNIT);
        sharesLines = b.stride() == count && head + tail == UNIT;
        if (sharesLines) {
            System.arraycopy(values, UNITS + count - tail, values, SHARED, tail);
            System.arraycopy(values, UNITS, values, SHARED + tail, head);
        }
        System.arraycopy(values, UNITS + head, values, UNITS, count - head);
        int bits = 8 * b.type().bytes();
        keep(firstMask, 0, head, bits);
        keep(lastMask, UNIT - tail, UNIT, bits);
        keep(tailMask, 0, tail, bits);
        keep(headMask, tail, UNIT, bits);
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

    private static void keep(int[] mask, int from, int to, int bits) {
        Arrays.fill(mask, 0);
        for (int element = from; element < to; element++) {
            int bit = element * bits;
            mask[bit / 32] |= bits == 32 ? -1 : 0xFFFF << bit % 32;
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

    int[] firstMask() {
        return firstMask;
    }

    int[] lastMask() {
        return lastMask;
    }

    int[] tailMask() {
        return tailMask;
    }

    int[] noMask() {
        return noMask;
    }

    int[] headMask() {
        return headMask;
    }

    /** Whether a row's last line is also the next one's first. */
    boolean sharesLines() {
        return sharesLines;
    }

    int count() {
        return count;
    }

    /** Elements of a row before its first whole unit. */
    int head() {
        return head;
    }

    /** Elements of a row after its last whole unit. */
    int tail() {
        return tail;
    }

    boolean hasEdges() {
        return head > 0 || tail > 0;
    }

    /** Where the aligned units of {@link #values} end. */
    int end() {
        return UNITS + count - head - tail;
    }
}
