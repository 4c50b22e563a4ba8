package io.github.rankine.engine.nn;

import io.github.rankine.engine.kernels.AttentionShape;
import io.github.rankine.engine.tape.AttentionOperations;
import io.github.rankine.engine.tape.PrefixOperations;
import io.github.rankine.engine.tape.PrefixOperations.Projections;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.Variable;
import java.util.List;

/**
 * The attention half of a block: projections, positions, causal attention, output projection.
 *
 * <pre>
 *   x [n, d] ─┬─ q ─ rotary ─┐
 *             ├─ k ─ rotary ─┼─ attention ─ o ─ y [q, d]
 *             └─ v ──────────┘
 * </pre>
 */
public sealed interface SelfAttention {
    /** {@code x [n, d]} to the results {@code [q, d]} of the context's queries; {@code x} is not read after. */
    Variable apply(Tape tape, Variable x, Context context, int layer);

    List<Linear> linears();

    AttentionShape shape();

    /** A product for each of queries, keys and values; queries and keys are rotated. */
    record Separate(Linear q, Linear k, Linear v, Linear o, AttentionShape shape, RotaryTable rotary)
            implements SelfAttention {
        @Override
        public Variable apply(Tape tape, Variable x, Context context, int layer) {
            List<Variable> projected = project(tape, x, context.queries(tape, x));
            Variable queries = rotate(tape, projected.get(0), context, context.queryPositions());
            Variable keys = rotate(tape, projected.get(1), context, context.positions());
            Variable values = projected.get(2);
            tape.done(x);
            Variable mixed;
            if (context.prefix() != null) {
                mixed = PrefixOperations.attention(
                        tape, new Projections(queries, keys, values), context.prefix(), layer, context.starts(), shape);
            } else if (context.cache() == null) {
                mixed = AttentionOperations.attention(tape, queries, keys, values, context.spans(), shape);
            } else {
                mixed = context.cached(tape, layer, queries.value(), keys.value(), values.value(), shape);
            }
            tape.done(queries);
            tape.done(keys);
            tape.done(values);
            Variable y = o.apply(tape, mixed);
            tape.done(mixed);
            return y;
        }

        private List<Variable> project(Tape tape, Variable x, Variable asking) {
            if (asking == x) {
                return Linear.apply(tape, x, q, k, v);
            }
            List<Variable> keysAndValues = Linear.apply(tape, x, k, v);
            return List.of(q.apply(tape, asking), keysAndValues.get(0), keysAndValues.get(1));
        }

        private Variable rotate(Tape tape, Variable projected, Context context, int[] positions) {
            return AttentionOperations.rotary(
                    tape, projected, positions, rotary.upTo(context.positionLimit()), shape.headDim());
        }

        @Override
        public List<Linear> linears() {
            return List.of(q, k, v, o);
        }
    }

    /** One product for queries, keys and values together, without rotation, as GPT-2 has it. */
    record Fused(Linear qkv, Linear o, AttentionShape shape) implements SelfAttention {
        @Override
        public Variable apply(Tape tape, Variable x, Context context, int layer) {
            Variable projected = qkv.apply(tape, x);
            tape.done(x);
            Variable mixed;
            if (context.prefix() != null) {
                mixed = PrefixOperations.attention(
                        tape, Projections.fused(projected), context.prefix(), layer, context.starts(), shape);
            } else if (context.cache() == null) {
                mixed = AttentionOperations.fusedAttention(tape, projected, context.spans(), shape);
            } else {
                long width = projected.cols() / 3;
                mixed = context.cached(
                        tape,
                        layer,
                        context.queries(tape, projected).value().cols(0, width),
                        projected.value().cols(width, width),
                        projected.value().cols(2 * width, width),
                        shape);
            }
            tape.done(projected);
            Variable y = o.apply(tape, mixed);
            tape.done(mixed);
            return y;
        }

        @Override
        public List<Linear> linears() {
            return List.of(qkv, o);
        }
    }
}
