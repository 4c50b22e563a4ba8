package io.github.rankine.engine.tape;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;

/**
 * A named weight of a model. It is frozen until {@link #train} gives it a gradient.
 */
public final class Parameter {
    private final String name;
    private final Weight value;
    private Tensor gradient;
    private Parameter replacement;

    public Parameter(String name, Weight value) {
        this.name = name;
        this.value = value;
    }

    public String name() {
        return name;
    }

    /** The weight, in its storage type. */
    public Weight value() {
        return replacement == null ? value : replacement.value();
    }

    /** Whether steps change it. */
    public boolean isTrainable() {
        return gradient() != null;
    }

    /** The accumulated gradient, of the weight's shape; null when it is frozen. */
    public Tensor gradient() {
        return replacement == null ? gradient : replacement.gradient();
    }

    /** Uses another parameter of the same shape in place of this one, as an adapter that brings its own does; null goes back. */
    public void replaceBy(Parameter other) {
        replacement = other;
    }

    /** Makes it trainable, with a zero gradient in {@code arena}, or without memory if the weight has none. */
    public void train(Arena arena) {
        if (!value.storage().equals(DType.F32.name())) {
            throw new IllegalStateException(name + " is stored as " + value.storage() + "; only F32 is trained");
        }
        gradient = value.hasMemory()
                ? Tensor.allocate(arena, value.rows(), value.cols())
                : Tensor.shapeOnly(value.rows(), value.cols());
    }

    /** Freezes it again. */
    public void freeze() {
        gradient = null;
    }

    @Override
    public String toString() {
        return name + " [" + value.rows() + ", " + value.cols() + "]";
    }
}
