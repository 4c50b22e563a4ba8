package io.github.rankine.engine.tape;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.Tensor;

/** One {@link LowRank} at work on one input: {@code u = scaling · dropout(x) · Aᵀ}, and its gradients. What becomes of {@code u · Bᵀ} is the caller's. */
final class LowRankBranch {
    private final Tape tape;
    private final Variable x;
    private final LowRank update;
    private final boolean drops;
    private final Buffer u;

    LowRankBranch(Tape tape, Variable x, LowRank update) {
        this.tape = tape;
        this.x = x;
        this.update = update;
        drops = update.dropout() > 0 && tape.dropsOut();
        u = tape.take(x.rows(), update.a().value().rows());
        Buffer dropped = drops ? dropped() : null;
        Tensor input = drops ? dropped.tensor() : x.value();
        kernels().matmulNT(input, update.a().value(), u.tensor(), update.scaling(), false);
        if (drops) {
            tape.give(dropped);
        }
    }

    private Kernels kernels() {
        return tape.kernels();
    }

    /** Whether the branch reads another input than the layer. */
    boolean drops() {
        return drops;
    }

    /** {@code [n, r]}. */
    Buffer u() {
        return u;
    }

    /** Adds to the gradients of A and B, given the output's; returns {@code du = scaling · dy · B}. */
    Buffer gradients(Tensor dy) {
        Parameter a = update.a();
        Parameter b = update.b();
        Buffer du = tape.take(x.rows(), a.value().rows());
        kernels().matmulNN(dy, b.value(), du.tensor(), update.scaling(), false);
        if (b.isTrainable()) {
            kernels().matmulTN(dy, u.tensor(), b.gradient(), 1, true);
        }
        if (a.isTrainable()) {
            // Cheaper to drop again than to keep a second copy of x for the whole step.
            Buffer again = drops ? dropped() : null;
            kernels().matmulTN(du.tensor(), drops ? again.tensor() : x.value(), a.gradient(), 1, true);
            if (drops) {
                tape.give(again);
            }
        }
        return du;
    }

    /** {@code dx (+)= dropout(du · A)}. */
    void addInputGradient(Buffer du, Tensor dx, boolean accumulate) {
        if (drops) {
            Buffer dDropped = tape.take(x.rows(), x.cols());
            kernels().matmulNN(du.tensor(), update.a().value(), dDropped.tensor(), 1, false);
            kernels().dropout(dDropped.tensor(), dx, update.dropout(), update.seed(), accumulate);
            tape.give(dDropped);
        } else {
            kernels().matmulNN(du.tensor(), update.a().value(), dx, 1, accumulate);
        }
    }

    private Buffer dropped() {
        Buffer buffer = tape.take(x.rows(), x.cols());
        kernels().dropout(x.value(), buffer.tensor(), update.dropout(), update.seed(), false);
        return buffer;
    }
}
