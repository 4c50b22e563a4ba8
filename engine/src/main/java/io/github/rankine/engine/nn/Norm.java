package io.github.rankine.engine.nn;

import io.github.rankine.engine.tape.NormOperations;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.Variable;
import java.util.List;

/** A normalisation of each token's features. */
public sealed interface Norm {
    /** {@code x [n, d]} to {@code [n, d]}. */
    Variable apply(Tape tape, Variable x);

    List<Parameter> parameters();

    /** By the root of the mean square; {@code weight [1, d]}. */
    record Rms(Parameter weight, float eps) implements Norm {
        @Override
        public Variable apply(Tape tape, Variable x) {
            return NormOperations.rmsNorm(tape, x, weight, eps);
        }

        @Override
        public List<Parameter> parameters() {
            return List.of(weight);
        }
    }

    /** By mean and standard deviation; {@code weight} and {@code bias [1, d]}. */
    record Layer(Parameter weight, Parameter bias, float eps) implements Norm {
        @Override
        public Variable apply(Tape tape, Variable x) {
            return NormOperations.layerNorm(tape, x, weight, bias, eps);
        }

        @Override
        public List<Parameter> parameters() {
            return List.of(weight, bias);
        }
    }
}
