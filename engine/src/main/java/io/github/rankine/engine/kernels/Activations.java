package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Tensor;
import jdk.incubator.vector.FloatVector;

/**
 * SwiGLU, GELU and tanh with their gradients, a block at a time in heap arrays that stay in the first-level cache: the functions
 * they need are loops of their own, since one loop with all of it exceeds what C2 inlines.
 */
final class Activations {
    private static final float SQRT_HALF = (float) Math.sqrt(0.5);
    /** The approximation Φ(x) ≈ (1 + tanh u)/2 = σ(2u) with {@code 2u = 2√(2/π) (x + 0.044715 x³)}. */
    private static final float LOGISTIC_SCALE = (float) (2 * Math.sqrt(2 / Math.PI));

    private static final float CUBIC = 0.044715f;
    private static final float NORMAL_DENSITY = (float) (1 / Math.sqrt(2 * Math.PI));

    private final Workers workers;
    private final Block[] blocks;

    Activations(Workers workers) {
        this.workers = workers;
        blocks = new Block[workers.count()];
        for (int worker = 0; worker < blocks.length; worker++) {
            blocks[worker] = new Block();
        }
    }

    /** One worker's arrays: inputs, what is made of them, outputs. */
    private static final class Block {
        static final int SIZE = 512;
        final float[] x = new float[SIZE];
        final float[] up = new float[SIZE];
        final float[] dy = new float[SIZE];
        final float[] inner = new float[SIZE];
        final float[] out = new float[SIZE];
    }

    /** Work on {@code count} elements of a row, at most a block. */
    @FunctionalInterface
    private interface Step {
        void run(Block block, long row, long col, int count);
    }

    private void forEachBlock(Step step, Tensor... tensors) {
        Pieces.elements(
                workers,
                (row, col, count, worker) -> {
                    for (int i = 0; i < count; i += Block.SIZE) {
                        step.run(blocks[worker], row, col + i, Math.min(Block.SIZE, count - i));
                    }
                },
                tensors);
    }

    private static void read(Tensor x, long row, long col, float[] out, int count) {
        Unpack.row(DType.F32, x.segment(), row * x.stride() + col, out, 0, count);
    }

    private static void write(float[] in, Tensor y, long row, long col, int count, boolean accumulate) {
        if (accumulate) {
            Elements.writeRow(in, 0, count, y.segment(), y.offset(row, col), 1f, true);
        } else {
            Elements.copyRow(in, 0, count, y.segment(), y.offset(row, col));
        }
    }

    void tanh(Tensor x, Tensor y) {
        forEachBlock(
                (b, row, col, count) -> {
                    read(x, row, col, b.x, count);
                    for (int i = 0; i < count; i++) {
                        b.out[i] = (float) Math.tanh(b.x[i]);
                    }
                    write(b.out, y, row, col, count, false);
                },
                x,
                y);
    }

    void tanhBackward(Tensor y, Tensor dy, Tensor dx) {
        forEachBlock(
                (b, row, col, count) -> {
                    read(y, row, col, b.x, count);
                    read(dy, row, col, b.dy, count);
                    for (int i = 0; i < count; i++) {
                        b.out[i] = b.dy[i] * (1 - b.x[i] * b.x[i]);
                    }
                    write(b.out, dx, row, col, count, false);
                },
                y,
                dy,
                dx);
    }

    void swiglu(Tensor gate, Tensor up, Tensor y) {
        forEachBlock(
                (b, row, col, count) -> {
                    read(gate, row, col, b.x, count);
                    read(up, row, col, b.up, count);
                    VectorMath.sigmoid(b.x, b.inner, count);
                    multiply(b.x, b.inner, b.up, b.out, count);
                    write(b.out, y, row, col, count, false);
                },
                gate,
                up,
                y);
    }

    private static void multiply(float[] a, float[] b, float[] c, float[] out, int count) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector.fromArray(SPECIES, a, i)
                    .mul(FloatVector.fromArray(SPECIES, b, i))
                    .mul(FloatVector.fromArray(SPECIES, c, i))
                    .intoArray(out, i);
        }
    }

    /** With {@code s = σ(gate)}: {@code dUp = dy · gate · s}, {@code dGate = dy · up · s · (1 + gate · (1 − s))}. */
    void swigluBackward(Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp) {
        forEachBlock(
                (b, row, col, count) -> {
                    read(gate, row, col, b.x, count);
                    read(up, row, col, b.up, count);
                    read(dy, row, col, b.dy, count);
                    VectorMath.sigmoid(b.x, b.inner, count);
                    multiply(b.x, b.inner, b.dy, b.out, count);
                    write(b.out, dUp, row, col, count, false);
                    siluGradient(b.x, b.inner, b.up, b.dy, b.out, count);
                    write(b.out, dGate, row, col, count, false);
                },
                gate,
                up,
                dy,
                dGate,
                dUp);
    }

    private static void siluGradient(float[] gate, float[] sigmoid, float[] up, float[] dy, float[] out, int count) {
        FloatVector one = FloatVector.broadcast(SPECIES, 1f);
        for (int i = 0; i < count; i += LANES) {
            FloatVector g = FloatVector.fromArray(SPECIES, gate, i);
            FloatVector s = FloatVector.fromArray(SPECIES, sigmoid, i);
            FloatVector d = FloatVector.fromArray(SPECIES, dy, i).mul(FloatVector.fromArray(SPECIES, up, i));
            d.mul(s).mul(g.fma(one.sub(s), one)).intoArray(out, i);
        }
    }

    void gelu(Tensor x, Tensor y, boolean tanhApproximation) {
        forEachBlock(
                (b, row, col, count) -> {
                    read(x, row, col, b.x, count);
                    normalCdf(b, count, tanhApproximation);
                    multiply(b.x, b.inner, b.out, count);
                    write(b.out, y, row, col, count, false);
                },
                x,
                y);
    }

    void geluBackward(Tensor x, Tensor dy, Tensor dx, boolean tanhApproximation, boolean accumulate) {
        forEachBlock(
                (b, row, col, count) -> {
                    read(x, row, col, b.x, count);
                    read(dy, row, col, b.dy, count);
                    normalCdf(b, count, tanhApproximation);
                    if (tanhApproximation) {
                        VectorMath.sigmoidSlope(b.out, b.out, count);
                        geluTanhGradient(b.x, b.inner, b.out, b.dy, b.out, count);
                    } else {
                        geluGradient(b.x, b.inner, b.dy, b.out, count);
                    }
                    write(b.out, dx, row, col, count, accumulate);
                },
                x,
                dy,
                dx);
    }

    /** {@code inner = Φ(x)}; {@code out} is left with the argument of erf, or of σ in the approximation. */
    private static void normalCdf(Block b, int count, boolean tanhApproximation) {
        if (tanhApproximation) {
            logisticArgument(b.x, b.out, count);
            VectorMath.sigmoid(b.out, b.inner, count);
        } else {
            scale(b.x, SQRT_HALF, b.out, count);
            VectorMath.erf(b.out, b.inner, count);
            halfOfOnePlus(b.inner, count);
        }
    }

    private static void logisticArgument(float[] x, float[] out, int count) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, i);
            v.mul(v).mul(CUBIC).add(1f).mul(v).mul(LOGISTIC_SCALE).intoArray(out, i);
        }
    }

    private static void scale(float[] x, float factor, float[] out, int count) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector.fromArray(SPECIES, x, i).mul(factor).intoArray(out, i);
        }
    }

    private static void halfOfOnePlus(float[] x, int count) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector.fromArray(SPECIES, x, i).add(1f).mul(0.5f).intoArray(x, i);
        }
    }

    private static void multiply(float[] a, float[] b, float[] out, int count) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector.fromArray(SPECIES, a, i)
                    .mul(FloatVector.fromArray(SPECIES, b, i))
                    .intoArray(out, i);
        }
    }

    /** {@code dy · (Φ(x) + x φ(x))}. */
    private static void geluGradient(float[] x, float[] cdf, float[] dy, float[] out, int count) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, i);
            FloatVector density = VectorMath.expUpTo87(v.mul(v).mul(-0.5f)).mul(NORMAL_DENSITY);
            v.fma(density, FloatVector.fromArray(SPECIES, cdf, i))
                    .mul(FloatVector.fromArray(SPECIES, dy, i))
                    .intoArray(out, i);
        }
    }

    /** {@code dy · (σ(2u) + x σ'(2u) · 2√(2/π) (1 + 3 · 0.044715 x²))}. */
    private static void geluTanhGradient(float[] x, float[] cdf, float[] slope, float[] dy, float[] out, int count) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, i);
            FloatVector inner = v.mul(v).mul(3 * CUBIC).add(1f).mul(LOGISTIC_SCALE);
            FloatVector density = inner.mul(FloatVector.fromArray(SPECIES, slope, i));
            v.fma(density, FloatVector.fromArray(SPECIES, cdf, i))
                    .mul(FloatVector.fromArray(SPECIES, dy, i))
                    .intoArray(out, i);
        }
    }
}
