package io.github.rankine.engine.lora;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tape.Buffer;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * The lengths of the rows of {@code W + s · B · A}, {@code [out, in]}, found without forming it: of row j, with {@code b} the row of B,
 *
 * <pre>
 *   ‖w + s · b · A‖² = ‖w‖² + 2s · b · (A · w) + s² · b · (A · Aᵀ) · bᵀ
 * </pre>
 *
 * so that a step costs a product with r rows and the base is read as it is stored. {@code ‖w‖²} is found once a weight.
 */
final class RowNorms {
    private final Tensor squares;
    private final Tensor factors;
    private final Tensor inverseNorms;
    private final Arena arena;
    private Weight measured;
    private Kernels measuring;
    private boolean current;

    private RowNorms(Arena arena, Tensor squares, Tensor factors, Tensor inverseNorms) {
        this.arena = arena;
        this.squares = squares;
        this.factors = factors;
        this.inverseNorms = inverseNorms;
    }

    static RowNorms allocate(Arena arena, long outputs) {
        return new RowNorms(
                arena,
                Tensor.allocate(arena, 1, outputs),
                Tensor.allocate(arena, 1, outputs),
                Tensor.allocate(arena, 1, outputs));
    }

    static RowNorms planned(long outputs) {
        Tensor shape = Tensor.shapeOnly(1, outputs);
        return new RowNorms(null, shape, shape, shape);
    }

    long bytes() {
        return squares.bytes() + factors.bytes() + inverseNorms.bytes();
    }

    /** The wanted lengths over those that the rows have, {@code [1, out]}, as last measured. */
    Tensor factors() {
        return factors;
    }

    /** One over the lengths that the rows have, {@code [1, out]}, as last measured. */
    Tensor inverseNorms() {
        return inverseNorms;
    }

    /** Measures anew if the matrices may have changed: after every pass that records gradients. */
    @SuppressWarnings("ReferenceEquality")
    void measure(Tape tape, PlainLora update, Parameter magnitude, LinearBase base) {
        Weight weight = base.weight().value();
        boolean sameBase = weight.equals(measured) && tape.kernels() == measuring;
        if (current && !tape.isRecording() && sameBase) {
            return;
        }
        Kernels kernels = tape.kernels();
        Parameter a = update.a();
        Parameter b = update.b();
        float scaling = (float) update.scaling();
        long rank = a.value().rows();
        long outputs = b.value().rows();
        Buffer aw = tape.take(rank, outputs);
        Buffer aa = tape.take(rank, rank);
        Buffer ba = tape.take(outputs, rank);
        boolean real = aw.tensor().hasMemory();
        if (real && !sameBase) {
            for (Tensor tensor : List.of(squares, factors, inverseNorms)) {
                kernels.adopt(tensor.segment(), arena);
            }
            kernels.squaredNorms(weight, base.transposed(), squares);
            measured = weight;
            measuring = kernels;
        }
        if (base.transposed()) {
            kernels.matmulNN(a.value().asTensor(), weight, aw.tensor(), 1, false);
        } else {
            kernels.matmulNT(a.value().asTensor(), weight, aw.tensor(), 1, false);
        }
        kernels.matmulNT(a.value().asTensor(), a.value(), aa.tensor(), 1, false);
        kernels.matmulNN(b.value().asTensor(), aa.tensor().asWeight(), ba.tensor(), 1, false);
        kernels.doraFactors(
                squares, b.value(), aw.tensor(), ba.tensor(), scaling, magnitude.value(), factors, inverseNorms);
        tape.give(ba);
        tape.give(aa);
        tape.give(aw);
        if (real) {
            current = !tape.isRecording();
        }
    }
}
