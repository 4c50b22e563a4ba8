package io.github.rankine.engine.prefix;

import io.github.rankine.engine.kernels.Dropout;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.PlanningKernels;
import io.github.rankine.engine.tape.LinearOperations;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tape.PointwiseOperations;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.TokenOperations;
import io.github.rankine.engine.tape.Variable;
import io.github.rankine.engine.tape.Workspace;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.function.LongToDoubleFunction;

/**
 * Keys and values of virtual tokens before every sequence, for each layer its own (Li and Liang 2021, "Prefix-Tuning"). In a row, a virtual
 * token's keys of layer 0 come first, then its values of layer 0, the keys of layer 1, and so on, as PEFT has them; keys are as attention
 * reads them, no position is added.
 */
public sealed interface Prefix {
    /** Number of virtual tokens. */
    int tokens();

    /** Elements of a row: {@code 2 · layers · kvHeads · headDim}. */
    int width();

    /** Everything in it that is trained. */
    List<Parameter> parameters();

    /** {@code [tokens, width]}. */
    Variable values(Tape tape);

    /** The rows, learned themselves. @param embeddings {@code [tokens, width]} */
    record Flat(Parameter embeddings) implements Prefix {
        @Override
        public int tokens() {
            return (int) embeddings.value().rows();
        }

        @Override
        public int width() {
            return (int) embeddings.value().cols();
        }

        @Override
        public List<Parameter> parameters() {
            return List.of(embeddings);
        }

        @Override
        public Variable values(Tape tape) {
            return TokenOperations.parameter(tape, embeddings);
        }
    }

    /**
     * The rows as a perceptron of one hidden layer makes them of shorter ones, which steadies the training (Li and Liang 2021, section
     * 4.3): {@code tanh(e · W₁ᵀ + b₁) · W₂ᵀ + b₂}.
     *
     * @param embedding    {@code [tokens, dim]}
     * @param weight       {@code [hidden, dim]}
     * @param bias         {@code [1, hidden]}
     * @param outputWeight {@code [width, hidden]}
     * @param outputBias   {@code [1, width]}
     */
    record Projected(
            Parameter embedding, Parameter weight, Parameter bias, Parameter outputWeight, Parameter outputBias)
            implements Prefix {
        @Override
        public int tokens() {
            return (int) embedding.value().rows();
        }

        @Override
        public int width() {
            return (int) outputWeight.value().rows();
        }

        @Override
        public List<Parameter> parameters() {
            return List.of(embedding, weight, bias, outputWeight, outputBias);
        }

        @Override
        public Variable values(Tape tape) {
            Variable hidden =
                    LinearOperations.linear(tape, TokenOperations.parameter(tape, embedding), weight, bias, false);
            Variable active = PointwiseOperations.tanh(tape, hidden);
            Variable values = LinearOperations.linear(tape, active, outputWeight, outputBias, false);
            tape.done(active);
            return values;
        }
    }

    /** The rows as numbers, in {@code arena}. */
    default Tensor computed(Kernels kernels, Arena arena) {
        try (Workspace planning = Workspace.planning();
                Workspace workspace = Workspace.empty(kernels)) {
            values(Tape.withoutGradients(PlanningKernels.create(), planning));
            workspace.reserve(planning.peak());
            Tensor result = Tensor.allocate(arena, tokens(), width());
            Tensor values = values(Tape.withoutGradients(kernels, workspace)).value();
            kernels.fetch(values);
            result.copyFrom(values);
            return result;
        }
    }

    /**
     * A fresh prefix, initialised as PEFT does: rows from a standard normal distribution, the perceptron's weights as PyTorch's linear
     * layers.
     *
     * @param config what it is like
     * @param layers number of blocks
     * @param width  kvHeads · headDim
     */
    static Prefix initialize(PrefixConfig config, int layers, int width, long seed, Arena arena) {
        int outputs = 2 * layers * width;
        if (config.hidden() == 0) {
            return new Flat(parameter(
                    "prompt_embeddings", config.virtualTokens(), outputs, arena, normal(Dropout.seedOf(seed, -2))));
        }
        int hidden = config.hidden();
        return new Projected(
                parameter("embedding.weight", config.virtualTokens(), width, arena, normal(Dropout.seedOf(seed, -2))),
                parameter("transform.0.weight", hidden, width, arena, uniform(Dropout.seedOf(seed, -3), width)),
                parameter("transform.0.bias", 1, hidden, arena, uniform(Dropout.seedOf(seed, -4), width)),
                parameter("transform.2.weight", outputs, hidden, arena, uniform(Dropout.seedOf(seed, -5), hidden)),
                parameter("transform.2.bias", 1, outputs, arena, uniform(Dropout.seedOf(seed, -6), hidden)));
    }

    /** One without memory, for planning. */
    static Prefix planned(PrefixConfig config, int layers, int width) {
        int outputs = 2 * layers * width;
        if (config.hidden() == 0) {
            return new Flat(shape("prompt_embeddings", config.virtualTokens(), outputs));
        }
        return new Projected(
                shape("embedding.weight", config.virtualTokens(), width),
                shape("transform.0.weight", config.hidden(), width),
                shape("transform.0.bias", 1, config.hidden()),
                shape("transform.2.weight", outputs, config.hidden()),
                shape("transform.2.bias", 1, outputs));
    }

    private static Parameter shape(String name, long rows, long cols) {
        return new Parameter("prefix." + name, DenseWeight.shapeOnly(DType.F32, rows, cols));
    }

    private static Parameter parameter(String name, long rows, long cols, Arena arena, LongToDoubleFunction value) {
        Tensor tensor = Tensor.allocate(arena, rows, cols);
        for (long i = 0; i < tensor.size(); i++) {
            tensor.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) value.applyAsDouble(i));
        }
        return new Parameter("prefix." + name, tensor.asWeight());
    }

    private static LongToDoubleFunction normal(long seed) {
        return i -> Dropout.normal(seed, i);
    }

    private static LongToDoubleFunction uniform(long seed, int inputs) {
        return i -> (2 * Dropout.uniform(seed, i) - 1) / Math.sqrt(inputs);
    }
}
