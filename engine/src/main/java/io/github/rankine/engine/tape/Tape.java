package io.github.rankine.engine.tape;

import io.github.rankine.engine.kernels.Dropout;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;

/**
 * Records operations as they run forward and runs their gradients in reverse.
 *
 * <p>Operations are coarse ({@link Operations}): a whole product or attention layer each, with its backward pass next to its
 * forward pass. Nothing is recorded for what leads to nothing trainable, so the backward pass ends at the lowest adapted
 * layer by itself. A value lives until the operation that made it has run backward, or, when no gradient needs it,
 * until {@link #done}. What is cheap to compute again, as a normalisation is, does not wait for its gradient in memory either: it is
 * computed again when the backward pass comes to it. {@link #recomputed} does the same for a whole block of operations.
 */
public final class Tape {
    private final Kernels kernels;
    private final Workspace workspace;
    private final boolean recording;
    private final boolean dropout;
    private final long dropoutSeed;
    private final List<Entry> entries = new ArrayList<>();

    /** One operation: its result, the values its backward pass reads, what to free after it, and that pass; without a result, a {@link #mark}. */
    private record Entry(Variable output, List<Variable> needed, List<Buffer> saved, Runnable backward) {}

    /** Stands for {@link #mark}. */
    private static final Entry MARK = new Entry(null, List.of(), List.of(), null);

    private Tape(Kernels kernels, Workspace workspace, boolean recording, boolean dropout, long dropoutSeed) {
        this.kernels = kernels;
        this.workspace = workspace;
        this.recording = recording;
        this.dropout = dropout;
        this.dropoutSeed = dropoutSeed;
    }

    /** A tape for a training step; {@code dropoutSeed} identifies the step. */
    public static Tape recording(Kernels kernels, Workspace workspace, long dropoutSeed) {
        return new Tape(kernels, workspace, true, true, dropoutSeed);
    }

    /** A tape that records without dropout: gradients of the model as it is evaluated. */
    public static Tape recording(Kernels kernels, Workspace workspace) {
        return new Tape(kernels, workspace, true, false, 0);
    }

    /** A tape that records nothing: evaluation and generation. */
    public static Tape withoutGradients(Kernels kernels, Workspace workspace) {
        return new Tape(kernels, workspace, false, false, 0);
    }

    /** A tape like this one over another workspace. */
    Tape over(Workspace other) {
        return new Tape(kernels, other, recording, dropout, dropoutSeed);
    }

    public Kernels kernels() {
        return kernels;
    }

    /** Whether gradients may be wanted of what is computed. */
    public boolean isRecording() {
        return recording;
    }

    public boolean dropsOut() {
        return dropout;
    }

    /** The seed of a layer's dropout in this step. */
    public long seedOf(int layer) {
        return Dropout.seedOf(dropoutSeed, layer);
    }

    /** A fresh result of an operation, its elements undefined. */
    Variable output(long rows, long cols, boolean requiresGradient) {
        return new Variable(workspace.take(rows, cols), recording && requiresGradient);
    }

    /** A variable over memory that somebody else owns. */
    Variable view(Tensor memory, boolean requiresGradient) {
        return new Variable(Buffer.view(memory), recording && requiresGradient);
    }

    /** A view of some rows of a variable, on a tape without gradients. */
    public Variable rows(Variable variable, int first, int count) {
        if (recording) {
            throw new IllegalStateException("rows of a variable have no gradient of their own");
        }
        return view(variable.value().rows(first, count), false);
    }

    /** Brings what became of {@link #rows} back to where they were, if it lies elsewhere. */
    public void takeBack(Variable result, Variable variable, int first) {
        Tensor place = variable.value().rows(first, (int) result.rows());
        if (place.hasMemory() && !result.value().segment().equals(place.segment())) {
            kernels.copy(result.value(), place);
        }
        done(result);
    }

    /** A result that takes over the memory of an operand that nothing needs any more. */
    Variable outputInPlace(Variable operand, boolean requiresGradient) {
        return new Variable(operand.takeValue(), recording && requiresGradient);
    }

    /** Memory that an operation needs for itself; to be given back. */
    public Buffer take(long rows, long cols) {
        return workspace.take(rows, cols);
    }

    public void give(Buffer buffer) {
        workspace.give(buffer);
    }

    /**
     * Notes an operation. When its output needs no gradient, what was saved is freed at once.
     *
     * @param needed   variables whose values the backward pass reads
     * @param saved    buffers that the backward pass reads
     * @param backward adds to the gradients of the operands, given the output's
     */
    void record(Variable output, List<Variable> needed, List<Buffer> saved, Runnable backward) {
        if (!output.requiresGradient()) {
            saved.forEach(workspace::give);
            return;
        }
        needed.forEach(Variable::retain);
        entries.add(new Entry(output, needed, saved, backward));
    }

    /** A boundary of layers, forward and backward ({@link Kernels#mark}). */
    public void mark() {
        kernels.mark();
        if (recording) {
            entries.add(MARK);
        }
    }

    /** Says that nothing further reads the variable forward: frees it unless a gradient needs it. */
    public void done(Variable variable) {
        if (!variable.isKept() && variable.hasValue()) {
            workspace.give(variable.takeValue());
        }
    }

    /** The variable's gradient to write into; ask {@link Variable#hasGradient} before whether to accumulate. */
    Tensor gradient(Variable variable) {
        if (!variable.hasGradient()) {
            variable.setGradient(workspace.take(variable.rows(), variable.cols()));
        }
        return variable.gradient();
    }

    /** Frees the gradients among these that a kernel wrote along with others but that nothing asks for. */
    void settle(Variable... variables) {
        for (Variable variable : variables) {
            if (!variable.requiresGradient() && variable.hasGradient()) {
                workspace.give(variable.takeGradient());
            }
        }
    }

    /** Hands the gradient of an output on to an operand as it is. */
    void passGradient(Variable output, Variable operand) {
        if (!operand.requiresGradient()) {
            return;
        }
        if (operand.hasGradient()) {
            kernels.add(output.gradient(), operand.gradient());
        } else {
            operand.setGradient(output.takeGradient());
        }
    }

    private void restore(Variable variable) {
        if (!variable.hasValue()) {
            variable.recompute(workspace.take(variable.rows(), variable.cols()));
        }
    }

    /**
     * The result of a block of operations of which nothing is kept but {@code x}: the backward pass runs the block again (Chen et al. 2016).
     *
     * @param x         what the block reads; its other operands are parameters, or {@code others}
     * @param others    variables of this tape that it reads as they are
     * @param trainable whether any of its parameters is
     * @param block     computes the result on the tape that it is given
     */
    public Variable recomputed(
            Variable x, List<Variable> others, boolean trainable, BiFunction<Tape, Variable, Variable> block) {
        boolean required = trainable || x.requiresGradient();
        for (Variable other : others) {
            required |= other.requiresGradient();
        }
        if (!recording || !required) {
            return block.apply(this, x);
        }
        Tape forward = new Tape(kernels, workspace, false, dropout, dropoutSeed);
        Variable result = block.apply(forward, new Variable(Buffer.view(x.value()), false));
        Variable y = new Variable(result.takeValue(), true);
        others.forEach(Variable::retain);
        record(y, List.of(x), List.of(), () -> {
            Tape again = new Tape(kernels, workspace, true, dropout, dropoutSeed);
            Variable input = new Variable(Buffer.view(x.value()), x.requiresGradient());
            Variable output = block.apply(again, input);
            output.setGradient(y.takeGradient());
            again.backward();
            again.passGradient(input, x);
            if (input.hasGradient()) {
                workspace.give(input.takeGradient());
            }
        });
        return y;
    }

    /** Runs every recorded operation backward, last first, and frees what they held. */
    public void backward() {
        for (int i = entries.size() - 1; i >= 0; i--) {
            Entry entry = entries.get(i);
            if (entry.output() == null) {
                kernels.mark();
                continue;
            }
            Variable output = entry.output();
            if (output.hasGradient()) {
                entry.needed().forEach(this::restore);
                entry.backward().run();
            }
            if (output.hasGradient()) {
                workspace.give(output.takeGradient());
            }
            if (output.hasValue()) {
                workspace.give(output.takeValue());
            }
            entry.saved().forEach(workspace::give);
        }
        entries.clear();
    }
}
