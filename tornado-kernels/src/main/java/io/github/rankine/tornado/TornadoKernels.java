package io.github.rankine.tornado;

import io.github.rankine.engine.kernels.AdamWStep;
import io.github.rankine.engine.kernels.AttentionShape;
import io.github.rankine.engine.kernels.AttentionSpans;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.MemoryNeeds;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * The kernels on a device. What lives there, and copies of frozen weights, stay there; other tensors go there and back with each call. Kernels run when
 * their results are asked for.
 */
final class TornadoKernels implements Kernels {
    private final String name;
    private final Session session;
    private SeenRows seen;

    TornadoKernels(String name, DeviceSource source, float[] nf4Values) {
        this.name = name;
        session = new Session(source, nf4Values);
    }

    @Override
    public String name() {
        return name;
    }

    private Call call(String name) {
        return session.call(name);
    }

    // ---- products ------------------------------------------------------------------------------------------------

    @Override
    public void matmulNT(Tensor a, Weight b, Tensor c, float alpha, boolean accumulate) {
        Call.check(a.cols() == b.cols() && Call.is(c, a.rows(), b.rows()), "matmulNT", a, b, c);
        boolean few = a.rows() <= ProductKernels.FEW;
        Call call = call(few ? "dots" : "matmul");
        product(call, a.rows(), b.rows(), a.cols(), call.input(a), a.stride(), 1)
                .numbers(1, b.cols())
                .weight(b);
        finish(call, c, alpha, accumulate);
        if (few) {
            call.run(ProductKernels::dots, Math.toIntExact(c.size()));
        } else {
            runBlocks(call, c);
        }
    }

    @Override
    public void matmulNN(Tensor a, Weight b, Tensor c, float alpha, boolean accumulate) {
        Call.check(a.cols() == b.rows() && Call.is(c, a.rows(), b.cols()), "matmulNN", a, b, c);
        Call call = call("matmul");
        product(call, a.rows(), b.cols(), a.cols(), call.input(a), a.stride(), 1)
                .numbers(b.cols(), 1)
                .weight(b);
        finish(call, c, alpha, accumulate);
        runBlocks(call, c);
    }

    @Override
    public void matmulTN(Tensor a, Tensor b, Tensor c, float alpha, boolean accumulate) {
        Call.check(a.rows() == b.rows() && Call.is(c, a.cols(), b.cols()), "matmulTN", a, b, c);
        Call call = call("matmul");
        product(call, a.cols(), b.cols(), a.rows(), call.input(a), 1, a.stride())
                .numbers(b.stride(), 1, Stored.F32, call.input(b), 0, 1);
        finish(call, c, alpha, accumulate);
        runBlocks(call, c);
    }

    private Call product(Call call, long m, long n, long k, int aPlace, long aRow, long aCol) {
        return call.numbers(m, n, k, aPlace, aRow, aCol);
    }

    private void finish(Call call, Tensor c, float alpha, boolean accumulate) {
        call.output(c, accumulate).scalar(alpha).flag(accumulate);
    }

    private void runBlocks(Call call, Tensor c) {
        int blocks = Math.toIntExact(Math.ceilDiv(c.rows(), (long) ProductKernels.BLOCK)
                * Math.ceilDiv(c.cols(), (long) ProductKernels.BLOCK));
        call.run(ProductKernels::matmul, blocks);
    }

    // ---- element-wise --------------------------------------------------------------------------------------------

    private Call elements(String name, Tensor shape) {
        return call(name).numbers(shape.size(), shape.cols());
    }

    @Override
    public void add(Tensor x, Tensor y) {
        scale(x, 1, y, true);
    }

    @Override
    public void scale(Tensor x, float alpha, Tensor y) {
        scale(x, alpha, y, false);
    }

    private void scale(Tensor x, float alpha, Tensor y, boolean accumulate) {
        Call.checkSame("scale", x, y);
        Call call = elements("scale", x)
                .tensor(x)
                .output(y, accumulate)
                .scalar(alpha)
                .flag(accumulate);
        call.runElements(PointwiseKernels::scale, x.size());
    }

    @Override
    public void copy(Tensor x, Tensor y) {
        scale(x, 1, y, false);
    }

    @Override
    public void clear(Tensor y) {
        elements("clear", y).output(y, false).runElements(PointwiseKernels::clear, y.size());
    }

    @Override
    public void addBias(Tensor y, Weight bias) {
        Call.check(bias.size() == y.cols(), "addBias", y, bias);
        elements("addBias", y).output(y, true).weight(bias).runElements(PointwiseKernels::addBias, y.size());
    }

    @Override
    public void addBiasBackward(Tensor dy, Tensor dBias) {
        Call.check(Call.is(dBias, 1, dy.cols()), "addBiasBackward", dy, dBias);
        Call call = call("sum").numbers(dy.cols(), dy.rows()).tensor(dy).output(dBias, true);
        call.runElements(ColumnKernels::sum, dy.cols());
    }

    @Override
    public void swiglu(Tensor gate, Tensor up, Tensor y) {
        Call.checkSame("swiglu", gate, up, y);
        elements("swiglu", y).tensor(gate).tensor(up).output(y, false).runElements(PointwiseKernels::swiglu, y.size());
    }

    @Override
    public void swigluBackward(Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp) {
        Call.checkSame("swigluBackward", gate, up, dy, dGate, dUp);
        elements("swigluBackward", dy)
                .tensor(gate)
                .tensor(up)
                .tensor(dy)
                .output(dGate, false)
                .output(dUp, false)
                .runElements(PointwiseKernels::swigluBackward, dy.size());
    }

    @Override
    public void gelu(Tensor x, Tensor y, boolean tanhApproximation) {
        Call.checkSame("gelu", x, y);
        elements("gelu", x)
                .tensor(x)
                .output(y, false)
                .flag(tanhApproximation)
                .runElements(PointwiseKernels::gelu, x.size());
    }

    @Override
    public void geluBackward(Tensor x, Tensor dy, Tensor dx, boolean tanhApproximation, boolean accumulate) {
        Call.checkSame("geluBackward", x, dy, dx);
        elements("geluBackward", x)
                .tensor(x)
                .tensor(dy)
                .output(dx, accumulate)
                .flag(tanhApproximation)
                .flag(accumulate)
                .runElements(PointwiseKernels::geluBackward, x.size());
    }

    @Override
    public void tanh(Tensor x, Tensor y) {
        Call.checkSame("tanh", x, y);
        elements("tanh", x).tensor(x).output(y, false).runElements(PointwiseKernels::hyperbolicTangent, x.size());
    }

    @Override
    public void tanhBackward(Tensor y, Tensor dy, Tensor dx) {
        Call.checkSame("tanhBackward", y, dy, dx);
        elements("tanhBackward", y)
                .tensor(y)
                .tensor(dy)
                .output(dx, false)
                .runElements(PointwiseKernels::tanhBackward, y.size());
    }

    @Override
    public void dropout(Tensor x, Tensor y, float probability, long seed, boolean accumulate) {
        Call.checkSame("dropout", x, y);
        int threshold = (int) Math.ceil(probability * 0x1p24);
        int[] hashed = {(int) (seed >> 32), (int) seed, threshold};
        elements("dropout", x)
                .tensor(x)
                .output(y, accumulate)
                .integers(hashed)
                .scalar(1f / (1f - probability))
                .flag(accumulate)
                .runElements(PointwiseKernels::dropout, x.size());
    }

    // ---- normalisation -------------------------------------------------------------------------------------------

    @Override
    public void rmsNorm(Tensor x, Weight weight, float eps, Tensor y, Tensor inverseRms) {
        Call.checkSame("rmsNorm", x, y);
        Call.check(weight.size() == x.cols() && Call.is(inverseRms, x.rows(), 1), "rmsNorm", x, weight, inverseRms);
        call("rmsNorm")
                .numbers(x.cols())
                .tensor(x)
                .output(y, false)
                .output(inverseRms, false)
                .scalar(eps)
                .weight(weight)
                .run(RowKernels::rmsNorm, (int) x.rows());
    }

    @Override
    public void rmsNormBackward(
            Tensor x, Weight weight, Tensor inverseRms, Tensor dy, Tensor dx, boolean accumulate, Tensor dWeight) {
        Call.checkSame("rmsNormBackward", x, dy, dx);
        normalised(dy, x, inverseRms, dWeight, false);
        call("rmsNormBackward")
                .numbers(x.cols())
                .tensor(x)
                .tensor(dy)
                .output(dx, accumulate)
                .tensor(inverseRms)
                .flag(accumulate)
                .weight(weight)
                .run(RowKernels::rmsNormBackward, (int) x.rows());
    }

    private void normalised(Tensor dy, Tensor x, Tensor statistics, Tensor dWeight, boolean centred) {
        if (dWeight == null) {
            return;
        }
        Call call = call("normalised")
                .numbers(dy.cols(), dy.rows())
                .tensor(dy)
                .tensor(x)
                .tensor(statistics);
        call.numbers(call.outputPlace(dWeight, true)).flag(centred).runElements(ColumnKernels::normalised, dy.cols());
    }

    @Override
    public void layerNorm(Tensor x, Weight weight, Weight bias, float eps, Tensor y, Tensor statistics) {
        Call.checkSame("layerNorm", x, y);
        Call.check(weight.size() == x.cols() && bias.size() == x.cols(), "layerNorm", x, weight, bias);
        call("layerNorm")
                .numbers(x.cols())
                .tensor(x)
                .output(y, false)
                .output(statistics, false)
                .scalar(eps)
                .weight(weight)
                .weight(bias)
                .run(RowKernels::layerNorm, (int) x.rows());
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
        Call.checkSame("layerNormBackward", x, dy, dx);
        normalised(dy, x, statistics, dWeight, true);
        if (dBias != null) {
            addBiasBackward(dy, dBias);
        }
        call("layerNormBackward")
                .numbers(x.cols())
                .tensor(x)
                .tensor(dy)
                .output(dx, accumulate)
                .tensor(statistics)
                .flag(accumulate)
                .weight(weight)
                .run(RowKernels::layerNormBackward, (int) x.rows());
    }

    // ---- positions and attention ---------------------------------------------------------------------------------

    @Override
    public void rotary(Tensor x, int[] positions, Tensor table, int headDim, boolean inverse) {
        Call.check(
                x.rows() == positions.length && x.cols() % headDim == 0 && table.cols() == headDim, "rotary", x, table);
        Call.checkIndices(positions, table.rows(), "rotary");
        long pairs = x.cols() / 2;
        Call call =
                call("rotary").numbers(pairs * x.rows(), pairs).output(x, true).numbers(headDim);
        call.flag(inverse).integers(positions);
        // Frozen like a weight, but for gaps between its rows.
        call.weight(new DenseWeight(DType.F32, 1, table.segment().byteSize() / 4, table.segment()))
                .numbers(table.stride());
        call.runElements(PointwiseKernels::rotary, pairs * x.rows());
    }

    @Override
    public void attention(
            Tensor q, Tensor k, Tensor v, AttentionSpans spans, AttentionShape shape, Tensor out, Tensor logSumExp) {
        seen = SeenRows.of(seen, spans, shape, q, k, v);
        attentionCall("attention", shape, seen.firstKey(), seen.keyEnd())
                .tensor(q)
                .tensor(k)
                .tensor(v)
                .output(out, false)
                .output(logSumExp, false)
                .run(AttentionKernels::forward, (int) q.rows() * shape.heads());
    }

    private Call attentionCall(String name, AttentionShape shape, int[] first, int[] end) {
        return call(name)
                .numbers(shape.heads(), shape.kvHeads(), shape.headDim())
                .scalar(shape.scale())
                .integers(first)
                .integers(end);
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
        seen = SeenRows.of(seen, spans, shape, q, k, v);
        keyBackward("valueBackward", shape, q, k, v, out, logSumExp, dOut, dOut, dv, false);
        keyBackward("keyBackward", shape, q, k, v, out, logSumExp, dOut, q, dk, true);
        attentionCall("queryBackward", shape, seen.firstKey(), seen.keyEnd())
                .tensor(q)
                .tensor(k)
                .tensor(v)
                .tensor(out)
                .tensor(logSumExp)
                .tensor(dOut)
                .output(dq, false)
                .run(AttentionKernels::queryBackward, (int) q.rows() * shape.heads());
    }

    private void keyBackward(
            String name,
            AttentionShape shape,
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor out,
            Tensor logSumExp,
            Tensor dOut,
            Tensor source,
            Tensor result,
            boolean keys) {
        attentionCall(name, shape, seen.firstQuery(), seen.queryEnd())
                .tensor(q)
                .tensor(k)
                .tensor(v)
                .tensor(out)
                .tensor(logSumExp)
                .tensor(dOut)
                .tensor(source)
                .output(result, false)
                .flag(keys)
                .run(AttentionKernels::keyBackward, (int) k.rows() * shape.kvHeads());
    }

    // ---- embedding and loss --------------------------------------------------------------------------------------

    @Override
    public void embedding(int[] ids, Weight table, Tensor y, boolean accumulate) {
        Call.check(Call.is(y, ids.length, table.cols()), "embedding", y, table);
        Call.checkIndices(ids, table.rows(), "embedding");
        elements("embedding", y)
                .integers(ids)
                .output(y, accumulate)
                .flag(accumulate)
                .weight(table)
                .runElements(SelectionKernels::embedding, y.size());
    }

    @Override
    public void embeddingBackward(int[] ids, Tensor dy, Tensor dTable) {
        Call.check(Call.is(dy, ids.length, dTable.cols()), "embeddingBackward", dy, dTable);
        Call.checkIndices(ids, dTable.rows(), "embeddingBackward");
        call("embeddingBackward")
                .numbers(dy.cols(), ids.length)
                .tensor(dy)
                .output(dTable, true)
                .integers(ids)
                .runElements(ColumnKernels::embeddingBackward, dy.cols());
    }

    @Override
    public void gatherRows(Tensor x, int[] rows, Tensor y) {
        Call.check(Call.is(y, rows.length, x.cols()), "gatherRows", x, y);
        Call.checkIndices(rows, x.rows(), "gatherRows");
        elements("gather", y).integers(rows).tensor(x).output(y, false).runElements(SelectionKernels::gather, y.size());
    }

    @Override
    public void gatherRowsBackward(int[] rows, Tensor dy, Tensor dx, boolean accumulate) {
        Call.check(Call.is(dy, rows.length, dx.cols()), "gatherRowsBackward", dy, dx);
        Call.checkIndices(rows, dx.rows(), "gatherRowsBackward");
        if (!accumulate) {
            clear(dx);
        }
        elements("scatter", dy)
                .integers(rows)
                .output(dx, true)
                .tensor(dy)
                .runElements(SelectionKernels::scatter, dy.size());
    }

    @Override
    public void crossEntropy(Tensor logits, int[] targets, Tensor losses, boolean gradient, float gradientScale) {
        Call.check(
                logits.rows() == targets.length && Call.is(losses, targets.length, 1), "crossEntropy", logits, losses);
        Call.checkIndices(targets, logits.cols(), "crossEntropy");
        Call call = call("crossEntropy").numbers(logits.cols());
        // Without a gradient the logits are as they were.
        if (gradient) {
            call.output(logits, true);
        } else {
            call.tensor(logits);
        }
        call.output(losses, false)
                .integers(targets)
                .flag(gradient)
                .scalar(gradientScale)
                .run(RowKernels::crossEntropy, targets.length);
    }

    // ---- weights' rows and their lengths -------------------------------------------------------------------------

    @Override
    public void squaredNorms(Weight weight, boolean columns, Tensor out) {
        long count = columns ? weight.cols() : weight.rows();
        Call.check(Call.is(out, 1, count), "squaredNorms", weight, out);
        Call call =
                call(columns ? "squaredNormsOfColumns" : "squaredNormsOfRows").numbers(weight.cols());
        if (columns) {
            call.numbers(weight.rows(), call.outputPlace(out, false))
                    .weight(weight)
                    .runElements(ColumnKernels::squaredNorms, count);
        } else {
            call.numbers(call.outputPlace(out, false)).weight(weight).run(RowKernels::squaredNorms, (int) count);
        }
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
        Call call = call("doraFactors").numbers(b.rows(), b.cols());
        call.numbers(call.input(squares)).tensor(aw).tensor(ba);
        call.numbers(call.outputPlace(factors, false), call.outputPlace(inverseNorms, false));
        call.scalar(scaling).weight(b).weight(magnitude).runElements(ColumnKernels::doraFactors, b.rows());
    }

    @Override
    public void rescale(Tensor x, Tensor factors, Weight bias, Tensor y) {
        Call.checkSame("rescale", x, y);
        Call.check(Call.is(factors, 1, x.cols()), "rescale", x, factors);
        elements("rescale", x)
                .tensor(x)
                .tensor(factors)
                .output(y, false)
                .optional(bias)
                .runElements(PointwiseKernels::rescale, x.size());
    }

    @Override
    public void rescaleBackward(Tensor x, Tensor inverseNorms, Weight bias, Tensor dy, Tensor dMagnitude) {
        Call.checkSame("rescaleBackward", x, dy);
        Call call = call("rescaled").numbers(x.cols(), x.rows()).tensor(dy).tensor(x);
        call.numbers(call.input(inverseNorms), call.outputPlace(dMagnitude, true))
                .optional(bias)
                .runElements(ColumnKernels::rescaled, x.cols());
    }

    // ---- optimiser -----------------------------------------------------------------------------------------------

    @Override
    public double sumOfSquares(List<Tensor> tensors) {
        double sum = 0;
        for (int first = 0; first < tensors.size(); first += DeviceArrays.RESULTS) {
            List<Tensor> some = tensors.subList(first, Math.min(first + DeviceArrays.RESULTS, tensors.size()));
            session.program().mark();
            for (int i = 0; i < some.size(); i++) {
                Tensor x = some.get(i);
                call("sumOfSquares")
                        .numbers(x.cols(), x.rows())
                        .tensor(x)
                        .numbers(i)
                        .runForResults(RowKernels::sumOfSquares, 1);
            }
            session.program().run();
            for (double result : session.device().readResults(some.size())) {
                sum += result;
            }
        }
        return sum;
    }

    @Override
    public void adamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, AdamWStep step) {
        Call.checkSame("adamW", parameter, gradient, firstMoment, secondMoment);
        Call call = elements("adamW", parameter)
                .output(parameter, true)
                .tensor(gradient)
                .output(firstMoment, true)
                .output(secondMoment, true)
                .scalars(
                        step.gradientScale(),
                        step.decayFactor(),
                        step.beta1(),
                        1 - step.beta1(),
                        step.beta2(),
                        1 - step.beta2(),
                        step.stepSize(),
                        step.secondCorrection(),
                        step.epsilon());
        call.runElements(OptimiserKernels::adamW, parameter.size());
    }

    // ---- memory --------------------------------------------------------------------------------------------------

    @Override
    public boolean haveOwnMemory() {
        return true;
    }

    @Override
    public void expect(MemoryNeeds needs) {
        session.expect(needs);
    }

    @Override
    public MemorySegment allocate(Arena arena, long bytes) {
        MemorySegment fresh = session.memory().allocate(arena, bytes);
        // Device memory begins with anything in it.
        clear(Tensor.of(fresh, 1, fresh.byteSize() / 4));
        return fresh;
    }

    @Override
    public void adopt(MemorySegment host, Arena arena) {
        session.memory().adopt(host, arena);
    }

    @Override
    public void fetch(Tensor tensor) {
        session.memory().fetch(tensor);
    }

    @Override
    public void wrote(MemorySegment host) {
        session.memory().wrote(host);
    }

    @Override
    public void mark() {
        session.program().mark();
    }

    @Override
    public void finish() {
        session.program().run();
    }

    @Override
    public SequencedMap<String, Long> counters() {
        SequencedMap<String, Long> counters = new LinkedHashMap<>();
        counters.put("tasks", session.program().tasks());
        counters.put("bytes_to_device", session.device().bytesIn());
        counters.put("bytes_to_host", session.device().bytesOut());
        return counters;
    }

    @Override
    public void close() {
        session.close();
    }
}
