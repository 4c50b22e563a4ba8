package io.github.rankine.engine.nn;

import io.github.rankine.engine.tape.PointwiseOperations;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.Variable;
import java.util.List;

/** The feed-forward half of a block. */
public sealed interface Mlp {
    /** {@code x [n, d]} to {@code [n, d]}; {@code x} is not read after. */
    Variable apply(Tape tape, Variable x);

    List<Linear> linears();

    /** {@code down(silu(gate(x)) · up(x))}, as Llama has it. */
    record Gated(Linear gate, Linear up, Linear down) implements Mlp {
        @Override
        public Variable apply(Tape tape, Variable x) {
            List<Variable> both = Linear.apply(tape, x, gate, up);
            Variable gated = both.get(0);
            Variable raised = both.get(1);
            tape.done(x);
            Variable activated = PointwiseOperations.swiglu(tape, gated, raised);
            tape.done(gated);
            tape.done(raised);
            Variable y = down.apply(tape, activated);
            tape.done(activated);
            return y;
        }

        @Override
        public List<Linear> linears() {
            return List.of(gate, up, down);
        }
    }

    /** {@code down(gelu(up(x)))}, as GPT-2 has it. */
    record Plain(Linear up, Linear down, boolean tanhApproximation) implements Mlp {
        @Override
        public Variable apply(Tape tape, Variable x) {
            Variable raised = up.apply(tape, x);
            tape.done(x);
            Variable activated = PointwiseOperations.gelu(tape, raised, tanhApproximation);
            tape.done(raised);
            Variable y = down.apply(tape, activated);
            tape.done(activated);
            return y;
        }

        @Override
        public List<Linear> linears() {
            return List.of(up, down);
        }
    }
}
