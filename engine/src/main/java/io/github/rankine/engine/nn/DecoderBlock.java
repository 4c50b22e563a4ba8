package io.github.rankine.engine.nn;

import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tape.PointwiseOperations;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.Variable;
import java.util.List;
import java.util.stream.Stream;

/**
 * One layer of a decoder, normalised before each half (Vaswani et al. 2017; Xiong et al. 2020).
 *
 * <pre>
 *   x [n, d] ─┬─ norm ─ attention ─ + ─┬─ norm ─ MLP ─ + ─ y [q, d]
 *             └────────────────────────┘└──────────────┘
 * </pre>
 */
public record DecoderBlock(Norm attentionNorm, SelfAttention attention, Norm mlpNorm, Mlp mlp) {
    /** {@code x [n, d]} to the results {@code [q, d]} of the context's queries. */
    Variable apply(Tape tape, Variable x, Context context, int layer) {
        Variable attended = attention.apply(tape, attentionNorm.apply(tape, x), context, layer);
        Variable middle = PointwiseOperations.residual(tape, context.queries(tape, x), attended);
        tape.done(x);
        Variable transformed = mlp.apply(tape, mlpNorm.apply(tape, middle));
        Variable y = PointwiseOperations.residual(tape, middle, transformed);
        tape.done(middle);
        return y;
    }

    /** Whether anything in it is trained. */
    boolean isTrainable() {
        return linears().stream().anyMatch(Linear::isTrainable)
                || Stream.of(attentionNorm, mlpNorm)
                        .flatMap(norm -> norm.parameters().stream())
                        .anyMatch(Parameter::isTrainable);
    }

    /** Its linear layers, in the order of the checkpoint. */
    public List<Linear> linears() {
        return Stream.concat(attention.linears().stream(), mlp.linears().stream())
                .toList();
    }
}
