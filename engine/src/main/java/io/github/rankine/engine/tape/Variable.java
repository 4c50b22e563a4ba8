package io.github.rankine.engine.tape;

import io.github.rankine.engine.tensor.Tensor;
import java.util.function.Consumer;

/** A value that was computed on a {@link Tape}, and its gradient while the tape runs backward. */
public final class Variable {
    private final long rows;
    private final long cols;
    private final boolean requiresGradient;
    private boolean retained;
    private Consumer<Tensor> recomputation;
    private Buffer value;
    private Buffer gradient;

    Variable(Buffer value, boolean requiresGradient) {
        this.rows = value.tensor().rows();
        this.cols = value.tensor().cols();
        this.value = value;
        this.requiresGradient = requiresGradient;
    }

    public long rows() {
        return rows;
    }

    public long cols() {
        return cols;
    }

    /** The value; it can be read until {@link Tape#done} or the end of the tape. */
    public Tensor value() {
        if (value == null) {
            throw new IllegalStateException("the value was given back");
        }
        return value.tensor();
    }

    /** Whether anything trainable went into it. */
    public boolean requiresGradient() {
        return requiresGradient;
    }

    Tensor gradient() {
        return gradient.tensor();
    }

    boolean hasGradient() {
        return gradient != null;
    }

    void setGradient(Buffer buffer) {
        gradient = buffer;
    }

    Buffer takeGradient() {
        Buffer taken = gradient;
        gradient = null;
        return taken;
    }

    Buffer takeValue() {
        Buffer taken = value;
        value = null;
        return taken;
    }

    boolean hasValue() {
        return value != null;
    }

    /**
     * Says that the value is cheaply made again from what its operation needs to run backward, and need not be kept itself; where that
     * operation is not recorded, it is.
     *
     * @param recomputation writes the value
     */
    void recomputeBy(Consumer<Tensor> recomputation) {
        if (requiresGradient) {
            this.recomputation = recomputation;
        }
    }

    /** Whether the value is kept for the backward pass. */
    boolean isKept() {
        return retained && recomputation == null;
    }

    void recompute(Buffer memory) {
        value = memory;
        recomputation.accept(memory.tensor());
    }

    void retain() {
        retained = true;
    }
}
