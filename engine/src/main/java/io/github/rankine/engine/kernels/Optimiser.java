package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;

import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** AdamW, and the norm of what goes into it. */
final class Optimiser {
    private static final VectorSpecies<Double> DOUBLES = SPECIES.withLanes(double.class);
    private static final VectorSpecies<Float> HALF =
            VectorSpecies.of(float.class, VectorShape.forBitSize(SPECIES.vectorBitSize() / 2));
    /** Elements of one partial sum. */
    private static final int CHUNK = 1 << 14;

    private final Workers workers;
    private double[] partials = new double[0];

    Optimiser(Workers workers) {
        this.workers = workers;
    }

    /** Sums of fixed stretches, added in their order. */
    double sumOfSquares(Tensor x) {
        boolean contiguous = x.isContiguous();
        long rows = contiguous ? 1 : x.rows();
        long cols = contiguous ? x.size() : x.cols();
        long parts = (cols + CHUNK - 1) / CHUNK;
        int tasks = Math.toIntExact(rows * parts);
        if (partials.length < tasks) {
            partials = new double[tasks];
        }
        double[] sums = partials;
        workers.run(tasks, (task, worker) -> {
            long col = task % parts * CHUNK;
            sums[task] = squares(x.segment(), x.offset(task / parts, col), (int) Math.min(CHUNK, cols - col));
        });
        double sum = 0;
        for (int i = 0; i < tasks; i++) {
            sum += sums[i];
        }
        return sum;
    }

    private static double squares(MemorySegment x, long at, int count) {
        DoubleVector sum = DoubleVector.zero(DOUBLES);
        int lanes = HALF.length();
        int i = 0;
        for (; i <= count - lanes; i += lanes) {
            DoubleVector v = (DoubleVector) FloatVector.fromMemorySegment(HALF, x, at + 4L * i, ByteOrder.nativeOrder())
                    .convertShape(VectorOperators.F2D, DOUBLES, 0);
            sum = v.fma(v, sum);
        }
        double total = 0;
        for (int lane = 0; lane < lanes; lane++) {
            total += sum.lane(lane);
        }
        for (; i < count; i++) {
            double v = Elements.get(x, at + 4L * i);
            total = Math.fma(v, v, total);
        }
        return total;
    }

    /** The order of operations, and float32 throughout, as PyTorch's single-tensor AdamW has them. */
    void adamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, AdamWStep step) {
        Scalars scalars = Scalars.of(step);
        Pieces.elements(
                workers,
                (row, col, count, worker) -> adamW(
                        parameter.segment(),
                        parameter.offset(row, col),
                        gradient.segment(),
                        gradient.offset(row, col),
                        firstMoment.segment(),
                        firstMoment.offset(row, col),
                        secondMoment.segment(),
                        secondMoment.offset(row, col),
                        count,
                        scalars),
                parameter,
                gradient,
                firstMoment,
                secondMoment);
    }

    private record Scalars(
            float decay,
            float gradient,
            float lerp,
            float beta2,
            float square,
            float correction,
            float epsilon,
            float rate) {
        static Scalars of(AdamWStep step) {
            return new Scalars(
                    (float) step.decayFactor(),
                    (float) step.gradientScale(),
                    (float) (1 - step.beta1()),
                    (float) step.beta2(),
                    (float) (1 - step.beta2()),
                    (float) step.secondCorrection(),
                    (float) step.epsilon(),
                    (float) -step.stepSize());
        }
    }

    private static void adamW(
            MemorySegment parameter,
            long pAt,
            MemorySegment gradient,
            long gAt,
            MemorySegment first,
            long mAt,
            MemorySegment second,
            long vAt,
            int count,
            Scalars s) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            long at = 4L * i;
            FloatVector g = Elements.load(gradient, gAt + at).mul(s.gradient);
            FloatVector m = Elements.load(first, mAt + at);
            FloatVector v = Elements.load(second, vAt + at);
            m = g.sub(m).mul(s.lerp).add(m);
            v = g.mul(g).mul(s.square).add(v.mul(s.beta2));
            FloatVector denominator = v.sqrt().div(s.correction).add(s.epsilon);
            FloatVector p = Elements.load(parameter, pAt + at).mul(s.decay);
            Elements.store(m.mul(s.rate).div(denominator).add(p), parameter, pAt + at);
            Elements.store(m, first, mAt + at);
            Elements.store(v, second, vAt + at);
        }
        for (; i < count; i++) {
            long at = 4L * i;
            float g = Elements.get(gradient, gAt + at) * s.gradient;
            float m = Elements.get(first, mAt + at);
            float v = Elements.get(second, vAt + at);
            m = (g - m) * s.lerp + m;
            v = g * g * s.square + v * s.beta2;
            float denominator = (float) Math.sqrt(v) / s.correction + s.epsilon;
            float p = Elements.get(parameter, pAt + at) * s.decay;
            Elements.set(parameter, pAt + at, m * s.rate / denominator + p);
            Elements.set(first, mAt + at, m);
            Elements.set(second, vAt + at, v);
        }
    }
}
