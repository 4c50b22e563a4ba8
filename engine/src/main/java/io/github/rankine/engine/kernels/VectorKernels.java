package io.github.rankine.engine.kernels;

import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * Kernels on the CPU through the Vector API. Each subject has its class; here shapes are checked. One computation runs at a
 * time: scratch memory belongs to the kernels, grows to what the shapes need and is used again.
 */
final class VectorKernels implements Kernels {
    private final Workers workers;
    private final Products products;
    private final Pointwise pointwise;
    private final Activations activations;
    private final DropoutKernel dropout;
    private final RmsNorm rmsNorm;
    private final LayerNorm layerNorm;
    private final Rotary rotary;
    private final Attention attention;
    private final RowSelection rowSelection;
    private final CrossEntropy crossEntropy;
    private final RowLengths rowLengths;
    private final Optimiser optimiser;

    VectorKernels(int threads) {
        workers = new Workers(threads);
        ColumnSums sums = new ColumnSums(workers);
        products = new Products(workers);
        pointwise = new Pointwise(workers, sums);
        activations = new Activations(workers);
        dropout = new DropoutKernel(workers);
        rmsNorm = new RmsNorm(workers, sums);
        layerNorm = new LayerNorm(workers, sums);
        rotary = new Rotary(workers);
        attention = new Attention(workers);
        rowSelection = new RowSelection(workers);
        crossEntropy = new CrossEntropy(workers);
        rowLengths = new RowLengths(workers, sums);
        optimiser = new Optimiser(workers);
    }

    @Override
    public String name() {
        return "vector";
    }

    @Override
    public void matmulNT(Tensor a, Weight b, Tensor c, float alpha, boolean accumulate) {
        checkNT(a, b, c);
        products.nt(a, Operand.of(b), c, alpha, accumulate);
    }

    @Override
    public void matmulNT(Tensor a, Weight b, Tensor u, Weight v, Tensor c, boolean accumulate) {
        checkNT(a, b, c);
        checkNT(u, v, c);
        products.nt(a, Operand.of(b), u, Operand.of(v), c, accumulate);
    }

    private static void checkNT(Tensor a, Weight b, Tensor c) {
        Shapes.check(
                a.cols() == b.cols() && Shapes.is(c, a.rows(), b.rows()),
                "matmulNT",
                "[m, k], [n, k], [m, n]",
                a,
                b,
                c);
    }

    @Override
    public void matmulNT(Tensor a, List<Weight> bs, List<Tensor> cs) {
        if (a.rows() > Kernels.FEW_ROWS || a.cols() == 0) {
            Kernels.super.matmulNT(a, bs, cs);
            return;
        }
        for (int i = 0; i < bs.size(); i++) {
            checkNT(a, bs.get(i), cs.get(i));
        }
        products.nt(a, bs.stream().map(Operand::of).toList(), cs);
    }

    @Override
    public void matmulNN(Tensor a, Weight b, Tensor c, float alpha, boolean accumulate) {
        checkNN(a, b, c);
        products.nn(a, Operand.of(b), c, alpha, accumulate);
    }

    @Override
    public void matmulNN(Tensor a, Weight b, Tensor u, Weight v, Tensor c, boolean accumulate) {
        checkNN(a, b, c);
        checkNN(u, v, c);
        products.nn(a, Operand.of(b), u, Operand.of(v), c, accumulate);
    }

    private static void checkNN(Tensor a, Weight b, Tensor c) {
        Shapes.check(
                a.cols() == b.rows() && Shapes.is(c, a.rows(), b.cols()),
                "matmulNN",
                "[m, k], [k, n], [m, n]",
                a,
                b,
                c);
    }

    @Override
    public void matmulTN(Tensor a, Tensor b, Tensor c, float alpha, boolean accumulate) {
        Shapes.check(
                a.rows() == b.rows() && Shapes.is(c, a.cols(), b.cols()),
                "matmulTN",
                "[k, m], [k, n], [m, n]",
                a,
                b,
                c);
        products.tn(a, b, c, alpha, accumulate);
    }

    @Override
    public void add(Tensor x, Tensor y) {
        Shapes.check(Shapes.same(x, y), "add", "equal shapes", x, y);
        pointwise.add(x, y);
    }

    @Override
    public void scale(Tensor x, float alpha, Tensor y) {
        Shapes.check(Shapes.same(x, y), "scale", "equal shapes", x, y);
        pointwise.scale(x, alpha, y);
    }

    @Override
    public void addBias(Tensor y, Weight bias) {
        Shapes.check(bias.size() == y.cols(), "addBias", "[n, d], [d]", y, bias);
        pointwise.addBias(y, bias);
    }

    @Override
    public void addBiasBackward(Tensor dy, Tensor dBias) {
        Shapes.check(Shapes.is(dBias, 1, dy.cols()), "addBiasBackward", "[n, d], [1, d]", dy, dBias);
        pointwise.addBiasBackward(dy, dBias);
    }

    @Override
    public void swiglu(Tensor gate, Tensor up, Tensor y) {
        Shapes.check(Shapes.same(gate, up) && Shapes.same(gate, y), "swiglu", "equal shapes", gate, up, y);
        activations.swiglu(gate, up, y);
    }

    @Override
    public void swigluBackward(Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp) {
        Shapes.check(
                Shapes.same(gate, up) && Shapes.same(gate, dy) && Shapes.same(gate, dGate) && Shapes.same(gate, dUp),
                "swigluBackward",
                "equal shapes",
                gate,
                up,
                dy,
                dGate,
                dUp);
        activations.swigluBackward(gate, up, dy, dGate, dUp);
    }

    @Override
    public void gelu(Tensor x, Tensor y, boolean tanhApproximation) {
        Shapes.check(Shapes.same(x, y), "gelu", "equal shapes", x, y);
        activations.gelu(x, y, tanhApproximation);
    }

    @Override
    public void geluBackward(Tensor x, Tensor dy, Tensor dx, boolean tanhApproximation, boolean accumulate) {
        Shapes.check(Shapes.same(x, dy) && Shapes.same(x, dx), "geluBackward", "equal shapes", x, dy, dx);
        activations.geluBackward(x, dy, dx, tanhApproximation, accumulate);
    }

    @Override
    public void tanh(Tensor x, Tensor y) {
        Shapes.check(Shapes.same(x, y), "tanh", "equal shapes", x, y);
        activations.tanh(x, y);
    }

    @Override
    public void tanhBackward(Tensor y, Tensor dy, Tensor dx) {
        Shapes.check(Shapes.same(y, dy) && Shapes.same(y, dx), "tanhBackward", "equal shapes", y, dy, dx);
        activations.tanhBackward(y, dy, dx);
    }

    @Override
    public void dropout(Tensor x, Tensor y, float probability, long seed, boolean accumulate) {
        Shapes.check(Shapes.same(x, y), "dropout", "equal shapes", x, y);
        Shapes.check(probability >= 0 && probability < 1, "dropout", "a probability in [0, 1)", probability);
        dropout.dropout(x, y, probability, seed, accumulate);
    }

    @Override
    public void rmsNorm(Tensor x, Weight weight, float eps, Tensor y, Tensor inverseRms) {
        Shapes.check(
                weight.size() == x.cols() && Shapes.same(x, y) && Shapes.is(inverseRms, x.rows(), 1),
                "rmsNorm",
                "[n, d], [d], [n, d], [n, 1]",
                x,
                weight,
                y,
                inverseRms);
        rmsNorm.forward(x, weight, eps, y, inverseRms);
    }

    @Override
    public void rmsNormBackward(
            Tensor x, Weight weight, Tensor inverseRms, Tensor dy, Tensor dx, boolean accumulate, Tensor dWeight) {
        Shapes.check(
                weight.size() == x.cols()
                        && Shapes.is(inverseRms, x.rows(), 1)
                        && Shapes.same(x, dy)
                        && Shapes.same(x, dx)
                        && (dWeight == null || Shapes.is(dWeight, 1, x.cols())),
                "rmsNormBackward",
                "[n, d], [d], [n, 1], [n, d], [n, d], [1, d] or null",
                x,
                weight,
                inverseRms,
                dy,
                dx,
                dWeight);
        rmsNorm.backward(x, weight, inverseRms, dy, dx, accumulate, dWeight);
    }

    @Override
    public void layerNorm(Tensor x, Weight weight, Weight bias, float eps, Tensor y, Tensor statistics) {
        Shapes.check(
                weight.size() == x.cols()
                        && bias.size() == x.cols()
                        && Shapes.same(x, y)
                        && Shapes.is(statistics, x.rows(), 2),
                "layerNorm",
                "[n, d], [d], [d], [n, d], [n, 2]",
                x,
                weight,
                bias,
                y,
                statistics);
        layerNorm.forward(x, weight, bias, eps, y, statistics);
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
        Shapes.check(
                weight.size() == x.cols()
                        && Shapes.is(statistics, x.rows(), 2)
                        && Shapes.same(x, dy)
                        && Shapes.same(x, dx)
                        && (dWeight == null || Shapes.is(dWeight, 1, x.cols()))
                        && (dBias == null || Shapes.is(dBias, 1, x.cols())),
                "layerNormBackward",
                "[n, d], [d], [n, 2], [n, d], [n, d], [1, d] or null, [1, d] or null",
                x,
                weight,
                statistics,
                dy,
                dx,
                dWeight,
                dBias);
        layerNorm.backward(x, weight, statistics, dy, dx, accumulate, dWeight, dBias);
    }

    @Override
    public void rotary(Tensor x, int[] positions, Tensor table, int headDim, boolean inverse) {
        Shapes.check(
                headDim > 0
                        && headDim % 2 == 0
                        && x.cols() % headDim == 0
                        && table.cols() == headDim
                        && positions.length == x.rows(),
                "rotary",
                "[n, heads · even headDim], [positions, headDim], n positions",
                x,
                table,
                positions.length);
        Shapes.checkIndices(positions, table.rows(), "rotary", "position");
        rotary.rotate(x, positions, table, headDim, inverse);
    }

    @Override
    public void attention(
            Tensor q, Tensor k, Tensor v, AttentionSpans spans, AttentionShape shape, Tensor out, Tensor logSumExp) {
        Shapes.checkAttention(q, k, v, spans, shape);
        Shapes.check(
                Shapes.same(q, out) && Shapes.is(logSumExp, q.rows(), shape.heads()),
                "attention",
                "out as q, [n, heads]",
                out,
                logSumExp);
        attention.forward(q, k, v, spans, shape, out, logSumExp);
    }

    @Override
    public Tensor allocateCache(Arena arena, int tokens, AttentionShape shape) {
        return new CacheLayout(shape).allocate(arena, tokens);
    }

    @Override
    public void store(Tensor k, Tensor v, Tensor keys, Tensor values, int position, AttentionShape shape) {
        CacheLayout layout = new CacheLayout(shape);
        Shapes.check(
                k.cols() == (long) shape.kvHeads() * shape.headDim()
                        && Shapes.same(k, v)
                        && layout.holds(keys, position + k.rows())
                        && layout.holds(values, position + k.rows()),
                "store",
                "[n, kvHeads · headDim] twice, caches for that many more",
                k,
                v,
                keys,
                values,
                position);
        attention.store(k, v, keys, values, position, shape);
    }

    @Override
    public void cachedAttention(
            Tensor q, Tensor keys, Tensor values, int tokens, AttentionShape shape, Tensor out, Tensor logSumExp) {
        CacheLayout layout = new CacheLayout(shape);
        Shapes.check(
                q.cols() == (long) shape.heads() * shape.headDim()
                        && shape.headDim() <= MicroKernel.KC
                        && q.rows() <= tokens
                        && layout.holds(keys, tokens)
                        && layout.holds(values, tokens)
                        && Shapes.same(q, out)
                        && Shapes.is(logSumExp, q.rows(), shape.heads()),
                "cachedAttention",
                "[n, heads · headDim], caches for the tokens, out as q, [n, heads]",
                q,
                keys,
                values,
                tokens,
                out,
                logSumExp);
        attention.cached(q, keys, values, tokens, shape, out, logSumExp);
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
        Shapes.checkAttention(q, k, v, spans, shape);
        Shapes.check(
                Shapes.same(q, out)
                        && Shapes.is(logSumExp, q.rows(), shape.heads())
                        && Shapes.same(q, dOut)
                        && Shapes.same(q, dq)
                        && Shapes.same(k, dk)
                        && Shapes.same(k, dv),
                "attentionBackward",
                "out, dOut, dq as q, [n, heads], dk and dv as k",
                out,
                dOut,
                dq,
                logSumExp,
                dk,
                dv);
        attention.backward(q, k, v, spans, shape, out, logSumExp, dOut, dq, dk, dv);
    }

    @Override
    public void embedding(int[] ids, Weight table, Tensor y, boolean accumulate) {
        Shapes.check(
                Shapes.is(y, ids.length, table.cols()),
                "embedding",
                "n ids, [vocabulary, d], [n, d]",
                ids.length,
                table,
                y);
        Shapes.checkIndices(ids, table.rows(), "embedding", "id");
        rowSelection.embedding(ids, table, y, accumulate);
    }

    @Override
    public void embeddingBackward(int[] ids, Tensor dy, Tensor dTable) {
        Shapes.check(
                Shapes.is(dy, ids.length, dTable.cols()),
                "embeddingBackward",
                "n ids, [n, d], [vocabulary, d]",
                ids.length,
                dy,
                dTable);
        Shapes.checkIndices(ids, dTable.rows(), "embeddingBackward", "id");
        rowSelection.embeddingBackward(ids, dy, dTable);
    }

    @Override
    public void gatherRows(Tensor x, int[] rows, Tensor y) {
        Shapes.check(Shapes.is(y, rows.length, x.cols()), "gatherRows", "[n, d], m rows, [m, d]", x, rows.length, y);
        Shapes.checkIndices(rows, x.rows(), "gatherRows", "row");
        rowSelection.gather(x, rows, y);
    }

    @Override
    public void gatherRowsBackward(int[] rows, Tensor dy, Tensor dx, boolean accumulate) {
        Shapes.check(
                Shapes.is(dy, rows.length, dx.cols()),
                "gatherRowsBackward",
                "m rows, [m, d], [n, d]",
                rows.length,
                dy,
                dx);
        Shapes.checkIndices(rows, dx.rows(), "gatherRowsBackward", "row");
        rowSelection.gatherBackward(rows, dy, dx, accumulate);
    }

    @Override
    public void crossEntropy(Tensor logits, int[] targets, Tensor losses, boolean gradient, float gradientScale) {
        Shapes.check(
                targets.length == logits.rows() && Shapes.is(losses, logits.rows(), 1),
                "crossEntropy",
                "[n, vocabulary], n targets, [n, 1]",
                logits,
                targets.length,
                losses);
        Shapes.checkIndices(targets, logits.cols(), "crossEntropy", "target");
        crossEntropy.run(logits, targets, losses, gradient, gradientScale);
    }

    @Override
    public void squaredNorms(Weight weight, boolean columns, Tensor out) {
        Shapes.check(
                Shapes.is(out, 1, columns ? weight.cols() : weight.rows()),
                "squaredNorms",
                "[1, rows or columns]",
                weight,
                columns,
                out);
        rowLengths.squaredNorms(weight, columns, out);
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
        Shapes.check(
                Shapes.is(squares, 1, b.rows())
                        && Shapes.is(aw, b.cols(), b.rows())
                        && Shapes.is(ba, b.rows(), b.cols())
                        && magnitude.size() == b.rows()
                        && Shapes.same(squares, factors)
                        && Shapes.same(squares, inverseNorms),
                "doraFactors",
                "[1, n], [n, r], [r, n], [n, r], [n], [1, n] twice",
                squares,
                b,
                aw,
                ba,
                magnitude,
                factors,
                inverseNorms);
        rowLengths.doraFactors(squares, b, aw, ba, scaling, magnitude, factors, inverseNorms);
    }

    @Override
    public void rescale(Tensor x, Tensor factors, Weight bias, Tensor y) {
        Shapes.check(
                Shapes.same(x, y) && Shapes.is(factors, 1, x.cols()) && (bias == null || bias.size() == x.cols()),
                "rescale",
                "[n, d], [1, d], [d] or none, [n, d]",
                x,
                factors,
                bias,
                y);
        rowLengths.rescale(x, factors, bias, y);
    }

    @Override
    public void rescaleBackward(Tensor x, Tensor inverseNorms, Weight bias, Tensor dy, Tensor dMagnitude) {
        Shapes.check(
                Shapes.same(x, dy)
                        && Shapes.is(inverseNorms, 1, x.cols())
                        && Shapes.same(inverseNorms, dMagnitude)
                        && (bias == null || bias.size() == x.cols()),
                "rescaleBackward",
                "[n, d], [1, d], [d] or none, [n, d], [1, d]",
                x,
                inverseNorms,
                bias,
                dy,
                dMagnitude);
        rowLengths.rescaleBackward(x, inverseNorms, bias, dy, dMagnitude);
    }

    @Override
    public double sumOfSquares(List<Tensor> tensors) {
        return tensors.stream().mapToDouble(optimiser::sumOfSquares).reduce(0, Double::sum);
    }

    @Override
    public void adamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, AdamWStep step) {
        Shapes.check(
                Shapes.same(parameter, gradient)
                        && Shapes.same(parameter, firstMoment)
                        && Shapes.same(parameter, secondMoment),
                "adamW",
                "equal shapes",
                parameter,
                gradient,
                firstMoment,
                secondMoment);
        optimiser.adamW(parameter, gradient, firstMoment, secondMoment, step);
    }

    @Override
    public void close() {
        workers.close();
    }
}
