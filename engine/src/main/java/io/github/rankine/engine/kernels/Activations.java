package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/** SwiGLU and GELU with their gradients. */
final class Activations {
    private static final float SQRT_HALF = (float) Math.sqrt(0.5);
    /** √(2/π), and the cubic term's factor, of the tanh approximation. */
    private static final float TANH_SCALE = (float) Math.sqrt(2 / Math.PI);

    private static final float CUBIC = 0.044715f;
    private static final float NORMAL_DENSITY = (float) (1 / Math.sqrt(2 * Math.PI));

    private final Workers workers;

    Activations(Workers workers) {
        this.workers = workers;
    }

    void swiglu(Tensor gate, Tensor up, Tensor y) {
        Pieces.elements(
                workers,
                (row, col, count) -> swiglu(
                        gate.segment(),
                        gate.offset(row, col),
                        up.segment(),
                        up.offset(row, col),
                        y.segment(),
                        y.offset(row, col),
                        count),
                gate,
                up,
                y);
    }

    private static void swiglu(
            MemorySegment gate, long gateAt, MemorySegment up, long upAt, MemorySegment y, long yAt, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector g = Elements.load(gate, gateAt + 4L * i);
            FloatVector u = Elements.load(up, upAt + 4L * i);
            Elements.store(g.mul(VectorMath.sigmoid(g)).mul(u), y, yAt + 4L * i);
        }
        if (i < count) {
            VectorMask<Float> tail = Elements.tail(i, count);
            FloatVector g = Elements.load(gate, gateAt + 4L * i, tail);
            FloatVector u = Elements.load(up, upAt + 4L * i, tail);
            Elements.store(g.mul(VectorMath.sigmoid(g)).mul(u), y, yAt + 4L * i, tail);
        }
    }

    /** With {@code s = σ(gate)}: {@code dUp = dy · gate · s}, {@code dGate = dy · up · s · (1 + gate · (1 − s))}. */
    void swigluBackward(Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp) {
        Pieces.elements(
                workers,
                (row, col, count) -> swigluBackward(
                        gate.segment(),
                        gate.offset(row, col),
                        up.segment(),
                        up.offset(row, col),
                        dy.segment(),
                        dy.offset(row, col),
                        dGate.segment(),
                        dGate.offset(row, col),
                        dUp.segment(),
                        dUp.offset(row, col),
                        count),
                gate,
                up,
                dy,
                dGate,
                dUp);
    }

    private static void swigluBackward(
            MemorySegment gate,
            long gateAt,
            MemorySegment up,
            long upAt,
            MemorySegment dy,
            long dyAt,
            MemorySegment dGate,
            long dGateAt,
            MemorySegment dUp,
            long dUpAt,
            int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector g = Elements.load(gate, gateAt + 4L * i);
            FloatVector u = Elements.load(up, upAt + 4L * i);
            FloatVector d = Elements.load(dy, dyAt + 4L * i);
            FloatVector s = VectorMath.sigmoid(g);
            Elements.store(d.mul(u).mul(siluSlope(g, s)), dGate, dGateAt + 4L * i);
            Elements.store(d.mul(g.mul(s)), dUp, dUpAt + 4L * i);
        }
        if (i < count) {
            VectorMask<Float> tail = Elements.tail(i, count);
            FloatVector g = Elements.load(gate, gateAt + 4L * i, tail);
            FloatVector u = Elements.load(up, upAt + 4L * i, tail);
            FloatVector d = Elements.load(dy, dyAt + 4L * i, tail);
            FloatVector s = VectorMath.sigmoid(g);
            Elements.store(d.mul(u).mul(siluSlope(g, s)), dGate, dGateAt + 4L * i, tail);
            Elements.store(d.mul(g.mul(s)), dUp, dUpAt + 4L * i, tail);
        }
    }

    private static FloatVector siluSlope(FloatVector gate, FloatVector sigmoid) {
        FloatVector one = FloatVector.broadcast(SPECIES, 1f);
        return sigmoid.mul(gate.fma(one.sub(sigmoid), one));
    }

    void gelu(Tensor x, Tensor y, boolean tanhApproximation) {
        Pieces.elements(
                workers,
                (row, col, count) -> {
                    if (tanhApproximation) {
                        geluTanh(x.segment(), x.offset(row, col), y.segment(), y.offset(row, col), count);
                    } else {
                        gelu(x.segment(), x.offset(row, col), y.segment(), y.offset(row, col), count);
                    }
                },
                x,
                y);
    }

    private static void gelu(MemorySegment x, long xAt, MemorySegment y, long yAt, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector v = Elements.load(x, xAt + 4L * i);
            Elements.store(v.mul(normalCdf(v)), y, yAt + 4L * i);
        }
        if (i < count) {
            VectorMask<Float> tail = Elements.tail(i, count);
            FloatVector v = Elements.load(x, xAt + 4L * i, tail);
            Elements.store(v.mul(normalCdf(v)), y, yAt + 4L * i, tail);
        }
    }

    private static void geluTanh(MemorySegment x, long xAt, MemorySegment y, long yAt, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector v = Elements.load(x, xAt + 4L * i);
            Elements.store(v.mul(tanhCdf(v)), y, yAt + 4L * i);
        }
        if (i < count) {
            VectorMask<Float> tail = Elements.tail(i, count);
            FloatVector v = Elements.load(x, xAt + 4L * i, tail);
            Elements.store(v.mul(tanhCdf(v)), y, yAt + 4L * i, tail);
        }
    }

    void geluBackward(Tensor x, Tensor dy, Tensor dx, boolean tanhApproximation, boolean accumulate) {
        Pieces.elements(
                workers,
                (row, col, count) -> {
                    if (tanhApproximation) {
                        geluTanhBackward(
                                x.segment(),
                                x.offset(row, col),
                                dy.segment(),
                                dy.offset(row, col),
                                dx.segment(),
                                dx.offset(row, col),
                                count,
                                accumulate);
                    } else {
                        geluBackward(
                                x.segment(),
                                x.offset(row, col),
                                dy.segment(),
                                dy.offset(row, col),
                                dx.segment(),
                                dx.offset(row, col),
                                count,
                                accumulate);
                    }
                },
                x,
                dy,
                dx);
    }

    private static void geluBackward(
            MemorySegment x,
            long xAt,
            MemorySegment dy,
            long dyAt,
            MemorySegment dx,
            long dxAt,
            int count,
            boolean accumulate) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector d = Elements.load(dy, dyAt + 4L * i).mul(geluSlope(Elements.load(x, xAt + 4L * i)));
            long at = dxAt + 4L * i;
            Elements.store(accumulate ? d.add(Elements.load(dx, at)) : d, dx, at);
        }
        if (i < count) {
            VectorMask<Float> tail = Elements.tail(i, count);
            FloatVector d = Elements.load(dy, dyAt + 4L * i, tail).mul(geluSlope(Elements.load(x, xAt + 4L * i, tail)));
            long at = dxAt + 4L * i;
            Elements.store(accumulate ? d.add(Elements.load(dx, at, tail)) : d, dx, at, tail);
        }
    }

    private static void geluTanhBackward(
            MemorySegment x,
            long xAt,
            MemorySegment dy,
            long dyAt,
            MemorySegment dx,
            long dxAt,
            int count,
            boolean accumulate) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector d = Elements.load(dy, dyAt + 4L * i).mul(geluTanhSlope(Elements.load(x, xAt + 4L * i)));
            long at = dxAt + 4L * i;
            Elements.store(accumulate ? d.add(Elements.load(dx, at)) : d, dx, at);
        }
        if (i < count) {
            VectorMask<Float> tail = Elements.tail(i, count);
            FloatVector d =
                    Elements.load(dy, dyAt + 4L * i, tail).mul(geluTanhSlope(Elements.load(x, xAt + 4L * i, tail)));
            long at = dxAt + 4L * i;
            Elements.store(accumulate ? d.add(Elements.load(dx, at, tail)) : d, dx, at, tail);
        }
    }

    private static FloatVector normalCdf(FloatVector x) {
        return VectorMath.erf(x.mul(SQRT_HALF)).add(1f).mul(0.5f);
    }

    private static FloatVector geluSlope(FloatVector x) {
        FloatVector density = VectorMath.exp(x.mul(x).mul(-0.5f)).mul(NORMAL_DENSITY);
        return x.fma(density, normalCdf(x));
    }

    /** {@code (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2}. */
    private static FloatVector tanhCdf(FloatVector x) {
        return VectorMath.tanh(tanhArgument(x)).add(1f).mul(0.5f);
    }

    private static FloatVector tanhArgument(FloatVector x) {
        return x.mul(x).mul(CUBIC).add(1f).mul(x).mul(TANH_SCALE);
    }

    /** {@code (1 + t)/2 + x/2 · (1 − t²) · √(2/π) · (1 + 3 · 0.044715 x²)}. */
    private static FloatVector geluTanhSlope(FloatVector x) {
        FloatVector one = FloatVector.broadcast(SPECIES, 1f);
        FloatVector t = VectorMath.tanh(tanhArgument(x));
        FloatVector inner = x.mul(x).mul(3 * CUBIC).add(1f).mul(TANH_SCALE);
        return x.mul(0.5f).mul(one.sub(t.mul(t))).mul(inner).add(t.add(1f).mul(0.5f));
    }
}
