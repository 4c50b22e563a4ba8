package io.github.rankine.reference;

import static io.github.rankine.reference.Boundary.check;
import static io.github.rankine.reference.Boundary.checkIndices;
import static io.github.rankine.reference.Boundary.read;
import static io.github.rankine.reference.Boundary.readRow;
import static io.github.rankine.reference.Boundary.readVector;
import static io.github.rankine.reference.Boundary.write;

import io.github.rankine.engine.kernels.AdamWStep;
import io.github.rankine.engine.kernels.AttentionShape;
import io.github.rankine.engine.kernels.AttentionSpans;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.util.List;

/**
 * The kernels as plain double-precision loops on one thread: what the other providers are measured against. Each
 * operation reads its operands into arrays, calls the loop that bears its name, and rounds the result once.
 */
final class ReferenceKernels implements Kernels {
    static final String NAME = "reference";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public void matmulNT(Tensor a, Weight b, Tensor c, float alpha, boolean accumulate) {
        check(c, a.rows(), b.rows());
        double[] left = read(a, a.rows(), b.cols());
        double[] right = read(b, b.rows(), b.cols());
        write(Products.matmulNT(left, right, (int) c.rows(), (int) c.cols(), (int) a.cols(), alpha), c, accumulate);
    }

    @Override
    public void matmulNN(Tensor a, Weight b, Tensor c, float alpha, boolean accumulate) {
        check(c, a.rows(), b.cols());
        double[] left = read(a, a.rows(), b.rows());
        double[] right = read(b, b.rows(), b.cols());
        write(Products.matmulNN(left, right, (int) c.rows(), (int) c.cols(), (int) a.cols(), alpha), c, accumulate);
    }

    @Override
    public void matmulTN(Tensor a, Tensor b, Tensor c, float alpha, boolean accumulate) {
        check(c, a.cols(), b.cols());
        double[] left = read(a, b.rows(), a.cols());
        double[] right = read(b, b.rows(), b.cols());
        write(Products.matmulTN(left, right, (int) c.rows(), (int) c.cols(), (int) a.rows(), alpha), c, accumulate);
    }

    @Override
    public void add(Tensor x, Tensor y) {
        write(readLike(x, y), y, true);
    }

    @Override
    public void scale(Tensor x, float alpha, Tensor y) {
        write(Elementwise.scale(readLike(x, y), alpha), y, false);
    }

    @Override
    public void addBias(Tensor y, Weight bias) {
        write(Elementwise.bias(readVector(bias, y.cols()), (int) y.rows()), y, true);
    }

    @Override
    public void addBiasBackward(Tensor dy, Tensor dBias) {
        check(dBias, 1, dy.cols());
        write(Elementwise.biasBackward(readAll(dy), (int) dy.rows(), (int) dy.cols()), dBias, true);
    }

    @Override
    public void swiglu(Tensor gate, Tensor up, Tensor y) {
        write(Elementwise.swiglu(readLike(gate, y), readLike(up, y)), y, false);
    }

    @Override
    public void swigluBackward(Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp) {
        check(dGate, dy.rows(), dy.cols());
        check(dUp, dy.rows(), dy.cols());
        var gradients = Elementwise.swigluBackward(readLike(gate, dy), readLike(up, dy), readAll(dy));
        write(gradients.dGate(), dGate, false);
        write(gradients.dUp(), dUp, false);
    }

    @Override
    public void gelu(Tensor x, Tensor y, boolean tanhApproximation) {
        write(Elementwise.gelu(readLike(x, y), tanhApproximation), y, false);
    }

    @Override
    public void geluBackward(Tensor x, Tensor dy, Tensor dx, boolean tanhApproximation, boolean accumulate) {
        write(Elementwise.geluBackward(readLike(x, dx), readLike(dy, dx), tanhApproximation), dx, accumulate);
    }

    @Override
    public void tanh(Tensor x, Tensor y) {
        write(Elementwise.tanh(readLike(x, y)), y, false);
    }

    @Override
    public void tanhBackward(Tensor y, Tensor dy, Tensor dx) {
        write(Elementwise.tanhBackward(readLike(y, dx), readLike(dy, dx)), dx, false);
    }

    @Override
    public void dropout(Tensor x, Tensor y, float probability, long seed, boolean accumulate) {
        write(Elementwise.dropout(readLike(x, y), probability, seed), y, accumulate);
    }

    @Override
    public void rmsNorm(Tensor x, Weight weight, float eps, Tensor y, Tensor inverseRms) {
        check(inverseRms, x.rows(), 1);
        var result = Norms.rmsNorm(readLike(x, y), readVector(weight, x.cols()), (int) x.rows(), eps);
        write(result.y(), y, false);
        write(result.inverseRms(), inverseRms, false);
    }

    @Override
    public void rmsNormBackward(
            Tensor x, Weight weight, Tensor inverseRms, Tensor dy, Tensor dx, boolean accumulate, Tensor dWeight) {
        var gradients = Norms.rmsNormBackward(
                readLike(x, dx), readVector(weight, x.cols()), read(inverseRms, x.rows(), 1), readLike(dy, dx), (int)
                        x.rows());
        write(gradients.dx(), dx, accumulate);
        addUnlessFrozen(gradients.dWeight(), dWeight);
    }

    @Override
    public void layerNorm(Tensor x, Weight weight, Weight bias, float eps, Tensor y, Tensor statistics) {
        check(statistics, x.rows(), 2);
        var result = Norms.layerNorm(
                readLike(x, y), readVector(weight, x.cols()), readVector(bias, x.cols()), (int) x.rows(), eps);
        write(result.y(), y, false);
        write(result.statistics(), statistics, false);
    }

    @Override
    public void layerNormBackward(
            Tensor x,
            Weight weight,
            Tensor statistics,
            Tensor dy,
            Tensor dx,
            boolean accumulate,
            Tensor dWeight,
            Tensor dBias) {
        var gradients = Norms.layerNormBackward(
                readLike(x, dx), readVector(weight, x.cols()), read(statistics, x.rows(), 2), readLike(dy, dx), (int)
                        x.rows());
        write(gradients.dx(), dx, accumulate);
        addUnlessFrozen(gradients.dWeight(), dWeight);
        addUnlessFrozen(gradients.dBias(), dBias);
    }

    private static void addUnlessFrozen(double[] gradient, Tensor out) {
        if (out != null) {
            check(out, 1, gradient.length);
            write(gradient, out, true);
        }
    }

    @Override
    public void rotary(Tensor x, int[] positions, Tensor table, int headDim, boolean inverse) {
        checkIndices(positions, x.rows(), table.rows());
        if (headDim % 2 != 0 || x.cols() % headDim != 0) {
            throw new IllegalArgumentException("heads of " + headDim + " features in rows of " + x.cols());
        }
        double[] values = readAll(x);
        Rotary.rotate(values, (int) x.cols(), positions, read(table, table.rows(), headDim), headDim, inverse);
        write(values, x, false);
    }

    @Override
    public void attention(
            Tensor q, Tensor k, Tensor v, AttentionSpans spans, AttentionShape shape, Tensor out, Tensor logSumExp) {
        check(out, q.rows(), q.cols());
        check(logSumExp, q.rows(), shape.heads());
        var result = attentionOf(q, k, v, spans, shape).forward();
        write(result.out(), out, false);
        write(result.logSumExp(), logSumExp, false);
    }

    @Override
    public void attentionBackward(
            Tensor q,
            Tensor k,
            Tensor v,
            AttentionSpans spans,
            AttentionShape shape,
            Tensor out,
            Tensor logSumExp,
            Tensor dOut,
            Tensor dq,
            Tensor dk,
            Tensor dv) {
        check(dq, q.rows(), q.cols());
        check(dk, k.rows(), k.cols());
        check(dv, k.rows(), k.cols());
        var forward = new Attention.Output(readLike(out, q), read(logSumExp, q.rows(), shape.heads()));
        var gradients = attentionOf(q, k, v, spans, shape).backward(forward, readLike(dOut, q));
        write(gradients.dq(), dq, false);
        write(gradients.dk(), dk, false);
        write(gradients.dv(), dv, false);
    }

    private static Attention attentionOf(Tensor q, Tensor k, Tensor v, AttentionSpans spans, AttentionShape shape) {
        long kvWidth = (long) shape.kvHeads() * shape.headDim();
        return new Attention(
                read(q, q.rows(), (long) shape.heads() * shape.headDim()),
                read(k, k.rows(), kvWidth),
                read(v, k.rows(), kvWidth),
                spans,
                shape);
    }

    @Override
    public void embedding(int[] ids, Weight table, Tensor y, boolean accumulate) {
        check(y, ids.length, table.cols());
        checkIndices(ids, y.rows(), table.rows());
        for (int i = 0; i < ids.length; i++) {
            write(readRow(table, ids[i]), y.rows(i, 1), accumulate);
        }
    }

    @Override
    public void embeddingBackward(int[] ids, Tensor dy, Tensor dTable) {
        checkIndices(ids, dy.rows(), dTable.rows());
        write(Rows.gatherBackward(readAll(dy), ids, (int) dTable.cols(), (int) dTable.rows()), dTable, true);
    }

    @Override
    public void gatherRows(Tensor x, int[] rows, Tensor y) {
        check(y, rows.length, x.cols());
        checkIndices(rows, y.rows(), x.rows());
        write(Rows.gather(readAll(x), rows, (int) x.cols()), y, false);
    }

    @Override
    public void gatherRowsBackward(int[] rows, Tensor dy, Tensor dx, boolean accumulate) {
        check(dy, rows.length, dx.cols());
        checkIndices(rows, dy.rows(), dx.rows());
        write(Rows.gatherBackward(readAll(dy), rows, (int) dx.cols(), (int) dx.rows()), dx, accumulate);
    }

    @Override
    public void crossEntropy(Tensor logits, int[] targets, Tensor losses, boolean gradient, float gradientScale) {
        check(losses, logits.rows(), 1);
        checkIndices(targets, logits.rows(), logits.cols());
        double[] values = readAll(logits);
        write(CrossEntropy.losses(values, targets), losses, false);
        if (gradient) {
            write(CrossEntropy.backward(values, targets, gradientScale), logits, false);
        }
    }

    @Override
    public void squaredNorms(Weight weight, boolean columns, Tensor out) {
        check(out, 1, columns ? weight.cols() : weight.rows());
        double[] w = read(weight, weight.rows(), weight.cols());
        write(RowLengths.squaredNorms(w, (int) weight.rows(), (int) weight.cols(), columns), out, false);
    }

    @Override
    public void doraFactors(
            Tensor squares,
            Weight b,
            Tensor aw,
            Tensor ba,
            float scaling,
            Weight magnitude,
            Tensor factors,
            Tensor inverseNorms) {
        long n = b.rows();
        check(factors, 1, n);
        double[] inverse = RowLengths.inverseNorms(
                read(squares, 1, n),
                read(b, n, b.cols()),
                read(aw, b.cols(), n),
                read(ba, n, b.cols()),
                (int) b.cols(),
                scaling);
        write(inverse, inverseNorms, false);
        double[] wanted = readVector(magnitude, n);
        for (int j = 0; j < n; j++) {
            wanted[j] *= inverse[j];
        }
        write(wanted, factors, false);
    }

    @Override
    public void rescale(Tensor x, Tensor factors, Weight bias, Tensor y) {
        write(RowLengths.rescale(readLike(x, y), read(factors, 1, x.cols()), bias(bias, x.cols())), y, false);
    }

    @Override
    public void rescaleBackward(Tensor x, Tensor inverseNorms, Weight bias, Tensor dy, Tensor dMagnitude) {
        check(dMagnitude, 1, x.cols());
        double[] inverse = read(inverseNorms, 1, x.cols());
        write(
                RowLengths.rescaleBackward(readLike(x, dy), inverse, bias(bias, x.cols()), readAll(dy)),
                dMagnitude,
                true);
    }

    private static double[] bias(Weight bias, long cols) {
        return bias == null ? new double[(int) cols] : readVector(bias, cols);
    }

    @Override
    public double sumOfSquares(List<Tensor> tensors) {
        double sum = 0;
        for (Tensor tensor : tensors) {
            sum += Elementwise.sumOfSquares(readAll(tensor));
        }
        return sum;
    }

    @Override
    public void adamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, AdamWStep step) {
        double[] values = readAll(parameter);
        double[] first = readLike(firstMoment, parameter);
        double[] second = readLike(secondMoment, parameter);
        AdamW.step(values, readLike(gradient, parameter), first, second, step);
        write(values, parameter, false);
        write(first, firstMoment, false);
        write(second, secondMoment, false);
    }

    @Override
    public void close() {}

    private static double[] readAll(Tensor tensor) {
        return read(tensor, tensor.rows(), tensor.cols());
    }

    /** The elements of a tensor that must have the shape of {@code other}. */
    private static double[] readLike(Tensor tensor, Tensor other) {
        return read(tensor, other.rows(), other.cols());
    }
}
