package io.github.rankine.engine.tape;

import io.github.rankine.engine.tensor.Tensor;

/**
 * A tensor in a {@link Workspace}, or a view of one.
 *
 * @param tensor the memory as a matrix
 * @param offset where it begins in the workspace, in bytes; negative for a view, which is never given back
 */
public record Buffer(Tensor tensor, long offset) {
    /** A view of memory that somebody else gives back. */
    static Buffer view(Tensor tensor) {
        return new Buffer(tensor, -1);
    }

    boolean isView() {
        return offset < 0;
    }
}
