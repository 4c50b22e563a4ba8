package io.github.rankine.engine.lora;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tape.DoraOperations;
import io.github.rankine.engine.tape.LinearOperations;
import io.github.rankine.engine.tape.LowRank;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tape.PointwiseOperations;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.Variable;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.stream.LongStream;

/**
 * DoRA (Liu et al. 2024): the rows of {@code W + scaling · B · A} are brought to lengths of their own, which are trained too. As in the paper's
 * section 4.3 and in PEFT, the rows' lengths are constants in the backward pass.
 */
public final class Dora implements LoraModule {
    private final PlainLora update;
    private final Parameter magnitude;
    private final RowNorms norms;

    Dora(PlainLora update, Parameter magnitude, RowNorms norms) {
        this.update = update;
        this.magnitude = magnitude;
        this.norms = norms;
    }

    /** {@code [1, out]}, the length of each row. */
    public Parameter magnitude() {
        return magnitude;
    }

    @Override
    public PlainLora update() {
        return update;
    }

    @Override
    public List<Parameter> parameters() {
        return List.of(a(), b(), magnitude);
    }

    @Override
    public long frozenBytes() {
        return norms.bytes();
    }

    @Override
    public LoraWeights stored() {
        return new LoraWeights(a().value(), b().value(), magnitude.value());
    }

    @Override
    public Variable apply(Tape tape, Variable x, Variable y, LinearBase base, long seed) {
        norms.measure(tape, update, magnitude, base);
        if (update.dropout() == 0 || !tape.dropsOut()) {
            Variable updated = update.apply(tape, x, y, base, seed);
            return DoraOperations.rescale(tape, updated, magnitude, norms.factors(), norms.inverseNorms(), base.bias());
        }
        // What is dropped is dropped from the base's part of the correction too: y − W·x' + rescaled (W·x' + update of
        // x').
        Variable dropped = PointwiseOperations.dropout(tape, x, (float) update.dropout(), seed);
        Variable own = LinearOperations.linear(tape, dropped, base.weight(), null, base.transposed());
        Variable rest = PointwiseOperations.subtract(tape, y, own);
        Variable updated =
                LinearOperations.lowRank(tape, dropped, own, new LowRank(a(), b(), (float) scaling(), 0, seed));
        tape.done(dropped);
        Variable rescaled =
                DoraOperations.rescale(tape, updated, magnitude, norms.factors(), norms.inverseNorms(), null);
        return PointwiseOperations.residual(tape, rest, rescaled);
    }

    @Override
    public Tensor mergeInto(Kernels kernels, Weight base, boolean transposed, Arena arena) {
        Tensor merged = update.mergeInto(kernels, base, transposed, arena);
        long outputs = magnitude.value().cols();
        long inputs = merged.size() / outputs;
        LongStream.range(0, outputs).parallel().forEach(out -> {
            double squares = 0;
            for (long in = 0; in < inputs; in++) {
                double element = transposed ? merged.get(in, out) : merged.get(out, in);
                squares += element * element;
            }
            double factor = magnitude.value().at(out) / Math.sqrt(squares);
            for (long in = 0; in < inputs; in++) {
                long row = transposed ? in : out;
                long col = transposed ? out : in;
                merged.set(row, col, (float) (merged.get(row, col) * factor));
            }
        });
        return merged;
    }
}
