package io.github.rankine.engine.train;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Dropout;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.nn.Batch;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.SequencedMap;

/**
 * Trains parameters of a decoder: an adapter's, or all of them.
 *
 * <pre>
 *   samples ─ batches ─ forward ─ loss ─ backward ─ (next batch of the step) ─ clip ─ AdamW ─ listener
 * </pre>
 *
 * A step's loss is the mean over the learned tokens of all its batches together. Which samples a step sees, its dropout and its learning
 * rate follow from the configuration and the step's number: with {@link #state} restored, {@link #resumeAfter} continues a run
 * as if it had never stopped.
 */
public final class Trainer implements AutoCloseable {
    private final Kernels kernels;
    private final List<Parameter> trainable;
    private final TrainingConfig config;
    private final List<Sample> evalSamples;
    private final BatchOrder order;
    private final Arena arena = Arena.ofShared();
    private final AdamW optimizer;
    private final LossPass pass;
    private final int stepsPerEpoch;
    private final int totalSteps;
    private int step;
    private double bestLoss = Double.POSITIVE_INFINITY;
    private List<int[]> epochBatches;
    private int epochOfBatches = -1;

    /**
     * @param trainable   what the run changes; everything else stays frozen
     * @param samples     to learn, each with at least one learned token
     * @param evalSamples to evaluate on, or none
     * @throws RankineException when there is nothing to learn, or a sample does not fit the model
     */
    public Trainer(
            Decoder decoder,
            Kernels kernels,
            List<Parameter> trainable,
            List<Sample> samples,
            List<Sample> evalSamples,
            TrainingConfig config) {
        SampleCheck.check(samples, decoder);
        SampleCheck.check(evalSamples, decoder);
        if (samples.isEmpty()) {
            throw new RankineException("no samples to train on");
        }
        this.kernels = kernels;
        this.trainable = List.copyOf(trainable);
        this.config = config;
        this.evalSamples = List.copyOf(evalSamples);
        order = new BatchOrder(List.copyOf(samples), config);
        pass = new LossPass(decoder, kernels, config.recompute());
        try {
            trainable.forEach(parameter -> parameter.train(arena));
            if (kernels.haveOwnMemory()) {
                reserve(decoder);
            }
            optimizer = new AdamW(
                    kernels,
                    this.trainable,
                    parameter -> config.loraPlus().factor(parameter, config.learningRate()),
                    arena);
            optimizer.state().values().forEach(tensor -> kernels.adopt(tensor.segment(), arena));
            trainable.forEach(parameter -> kernels.adopt(parameter.gradient().segment(), arena));
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
        stepsPerEpoch = Math.ceilDiv(order.batchesPerEpoch(), config.gradientAccumulation());
        totalSteps = config.steps() > 0 ? config.steps() : stepsOfEpochs();
    }

    /** Takes all that the run will need before it begins: on a device, what grows from batch to batch would leave holes. */
    private void reserve(Decoder decoder) {
        Batch largest = order.largest();
        MemoryPlan plan = MemoryPlan.of(decoder, trainable, largest, config.recompute());
        LossPass.Memory most = new LossPass.Memory(plan.activations(), plan.logits());
        if (!evalSamples.isEmpty()) {
            most = most.max(Evaluation.most(decoder, evalSamples, config.batchSize()));
        }
        long trained = plan.adapter() - decoder.frozenAdapterBytes() + plan.optimizer();
        kernels.expect(decoder.memoryNeeds(trained + most.total()));
        pass.reserve(most);
    }

    private int stepsOfEpochs() {
        long total = (long) stepsPerEpoch * config.epochs();
        if (total > Integer.MAX_VALUE) {
            throw new RankineException("epochs " + config.epochs() + ": " + total + " steps, more than the "
                    + Integer.MAX_VALUE + " that a run may have; set fewer epochs, or steps");
        }
        return (int) total;
    }

    public int totalSteps() {
        return totalSteps;
    }

    /** Steps done. */
    public int step() {
        return step;
    }

    /** The lowest evaluation loss so far; infinite before the first evaluation. */
    public double bestLoss() {
        return bestLoss;
    }

    /** The parameters and both moments of each, by name, as they are after {@link #step} steps, to be written out or restored into. */
    public SequencedMap<String, Tensor> state() {
        SequencedMap<String, Tensor> state = optimizer.state();
        state.values().forEach(kernels::fetch);
        return state;
    }

    /** Brings the parameters, which may live with the kernels while they are trained, to the host. {@link #run} ends with it. */
    public void fetchParameters() {
        trainable.forEach(parameter -> kernels.fetch(parameter.value().asTensor()));
    }

    /** Continues after {@code step} steps; {@link #state} must have been restored to what it was then. */
    public void resumeAfter(int step, double bestLoss) {
        this.step = step;
        this.bestLoss = bestLoss;
        optimizer.state().values().forEach(tensor -> kernels.wrote(tensor.segment()));
    }

    /**
     * Runs the steps that are left.
     *
     * @throws NonFiniteLossException when the loss or the gradient is no longer a number
     */
    public void run(TrainingListener listener) {
        while (step < totalSteps) {
            listener.step(takeStep());
            boolean last = step == totalSteps;
            if (!evalSamples.isEmpty() && (last || (config.evalEvery() > 0 && step % config.evalEvery() == 0))) {
                Evaluation evaluation = Evaluation.of(pass, evalSamples, config.batchSize());
                boolean improved = evaluation.loss() < bestLoss;
                bestLoss = Math.min(bestLoss, evaluation.loss());
                listener.evaluated(step, evaluation, improved);
            }
            listener.completed(step);
            if (listener.stopRequested()) {
                break;
            }
        }
        fetchParameters();
    }

    private StepMetrics takeStep() {
        long start = System.nanoTime();
        List<Batch> batches = batchesOf(step);
        int learned = batches.stream().mapToInt(Batch::learnedTokens).sum();
        long tokens = batches.stream().mapToLong(Batch::tokens).sum();
        optimizer.zeroGradients();
        double total = 0;
        StepTimes times = StepTimes.NONE;
        for (int i = 0; i < batches.size(); i++) {
            long seed = Dropout.seedOf(config.seed(), step, i);
            LossPass.Result result = pass.lossAndGradient(batches.get(i), seed, 1f / learned);
            total += result.loss();
            times = times.plus(result.times());
        }
        double loss = total / learned;
        long optimizing = System.nanoTime();
        double norm = optimizer.gradientNorm();
        if (!Double.isFinite(loss) || !Double.isFinite(norm)) {
            throw new NonFiniteLossException(step + 1, loss, norm);
        }
        double learningRate =
                config.learningRate() * config.schedule().factor(step, config.warmupSteps(totalSteps), totalSteps);
        optimizer.step(step + 1, learningRate, config.weightDecay(), AdamW.clipFactor(norm, config.maxGradNorm()));
        kernels.finish();
        step++;
        long end = System.nanoTime();
        return new StepMetrics(
                step,
                totalSteps,
                (double) step / stepsPerEpoch,
                loss,
                norm,
                learningRate,
                tokens,
                tokens / ((end - start) * 1e-9),
                times.withOptimizer((end - optimizing) * 1e-9));
    }

    private List<Batch> batchesOf(int step) {
        int epoch = step / stepsPerEpoch;
        if (epoch != epochOfBatches) {
            epochBatches = order.epoch(epoch);
            epochOfBatches = epoch;
        }
        int first = step % stepsPerEpoch * config.gradientAccumulation();
        return epochBatches
                .subList(first, Math.min(first + config.gradientAccumulation(), epochBatches.size()))
                .stream()
                .map(order::batch)
                .toList();
    }

    @Override
    public void close() {
        trainable.forEach(Parameter::freeze);
        pass.close();
        arena.close();
    }
}
