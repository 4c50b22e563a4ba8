package io.github.rankine.engine.nn;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LinearBase;
import io.github.rankine.engine.lora.LinearShape;
import io.github.rankine.engine.lora.LoraModule;
import io.github.rankine.engine.tape.LinearOperations;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.Variable;
import java.util.ArrayList;
import java.util.List;

/**
 * A linear layer that can carry adapters: {@code y = x · Wᵀ + bias}, and what each adapter's {@link LoraModule} makes of it; in plain LoRA
 *
 * <pre>
 *   x [n, in] ──┬── W (frozen) ──────────── + bias ──┬── y [n, out]
 *               └── dropout ── A [r, in] ── B [out, r] ── · scaling ──┘
 * </pre>
 */
public final class Linear {
    private final String name;
    private final int index;
    private final boolean transposed;
    private final boolean head;
    private final Parameter bias;
    private final Parameter base;
    private LinearBase inUse;
    private List<ActiveModule> adapters = List.of();

    /**
     * @param name       the module's name in the checkpoint, as PEFT's target modules match it
     * @param index      number of the layer in its model; tells its dropout apart from others'
     * @param weight     {@code [out, in]}, or {@code [in, out]} when {@code transposed}
     * @param bias       {@code [1, out]} or null
     * @param transposed GPT-2's Conv1D layout
     * @param head       whether it is the output head
     */
    public Linear(String name, int index, Parameter weight, Parameter bias, boolean transposed, boolean head) {
        this.name = name;
        this.index = index;
        this.base = weight;
        this.bias = bias;
        this.transposed = transposed;
        this.head = head;
        inUse = new LinearBase(weight, bias, transposed);
    }

    public String name() {
        return name;
    }

    /** What an adapter must know of this layer. */
    public LinearShape shape() {
        long rows = base.value().rows();
        long cols = base.value().cols();
        return new LinearShape(name, transposed ? rows : cols, transposed ? cols : rows, transposed, head);
    }

    /** The weight in use: the checkpoint's, or the merged one. */
    public Parameter weight() {
        return inUse.weight();
    }

    public Parameter bias() {
        return bias;
    }

    /** Whether the weight, the bias or an adapter is trained. */
    boolean isTrainable() {
        return weight().isTrainable()
                || (bias != null && bias.isTrainable())
                || adapters.stream().anyMatch(active -> active.module().isTrainable());
    }

    void setAdapters(List<ActiveModule> modules) {
        adapters = List.copyOf(modules);
    }

    /** Uses another weight in place of the checkpoint's, which stays as it is; null goes back to it. */
    void setWeight(Parameter other) {
        inUse = new LinearBase(other == null ? base : other, bias, transposed);
    }

    /** {@code x [n, in]} to {@code [n, out]}. */
    public Variable apply(Tape tape, Variable x) {
        if (adapters.isEmpty() || !adapters.getFirst().isEverywhere()) {
            return adapt(tape, x, LinearOperations.linear(tape, x, weight(), bias, transposed), adapters);
        }
        Variable y = adapters.getFirst().module().apply(tape, x, inUse, tape.seedOf(index));
        return adapt(tape, x, y, adapters.subList(1, adapters.size()));
    }

    /** What each of the layers makes of {@code x}; their products at once, where no gradient is wanted and that is shorter. */
    static List<Variable> apply(Tape tape, Variable x, Linear... layers) {
        List<Linear> all = List.of(layers);
        if (tape.isRecording() || x.rows() > Kernels.FEW_ROWS || !all.stream().allMatch(Linear::joins)) {
            return all.stream().map(layer -> layer.apply(tape, x)).toList();
        }
        List<Variable> products = LinearOperations.products(
                tape, x, all.stream().map(Linear::weight).toList());
        List<Variable> results = new ArrayList<>();
        for (int i = 0; i < layers.length; i++) {
            Variable y = products.get(i);
            if (layers[i].bias != null) {
                tape.kernels().addBias(y.value(), layers[i].bias.value());
            }
            results.add(layers[i].adapt(tape, x, y, layers[i].adapters));
        }
        return results;
    }

    /** Whether the layer's product may be one of several: with the same bits as {@link #apply}, which adds the bias after a plain update. */
    private boolean joins() {
        return !transposed && (bias == null || adapters.isEmpty());
    }

    private Variable adapt(Tape tape, Variable x, Variable product, List<ActiveModule> adapters) {
        Variable y = product;
        for (ActiveModule adapter : adapters) {
            y = adapter.apply(tape, x, y, inUse, tape.seedOf(index));
        }
        return y;
    }
}
