package io.github.rankine.cli;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LinearShape;
import io.github.rankine.engine.nn.Linear;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.reference.lowrank.Decomposition;
import io.github.rankine.reference.lowrank.LowRank;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/** A base model and a fine-tune of it in full, layer by layer. */
final class TunedPair {
    /** Singular values that are taken where all of them are too many. */
    private static final int VALUES = 64;

    private final Map<String, Linear> before = new LinkedHashMap<>();
    private final Map<String, Linear> after = new LinkedHashMap<>();
    private final CausalLanguageModel base;
    private final CausalLanguageModel tuned;
    private final Path tunedFolder;

    /** @throws RankineException naming the first layer that the two do not share */
    TunedPair(CausalLanguageModel base, Path baseFolder, CausalLanguageModel tuned, Path tunedFolder) {
        this.base = base;
        this.tuned = tuned;
        this.tunedFolder = tunedFolder;
        Map<String, Linear> byName =
                tuned.decoder().linears().stream().collect(Collectors.toMap(Linear::name, Function.identity()));
        for (Linear linear : base.decoder().linears()) {
            Linear other = byName.get(linear.name());
            if (other == null) {
                throw foreign("no layer " + linear.name() + ", which " + baseFolder + " has");
            }
            if (!linear.shape().equals(other.shape())) {
                throw foreign(linear.name() + " is " + shape(other.shape()) + ", in " + baseFolder + " "
                        + shape(linear.shape()));
            }
            before.put(linear.name(), linear);
            after.put(linear.name(), other);
        }
        Map<String, Parameter> others = byName(tuned);
        for (Parameter parameter : byName(base).values()) {
            Parameter same = others.remove(parameter.name());
            if (same == null) {
                throw foreign("no " + parameter.name() + ", which " + baseFolder + " has");
            }
            if (same.value().rows() != parameter.value().rows()
                    || same.value().cols() != parameter.value().cols()) {
                throw foreign(same + ", in " + baseFolder + " " + parameter);
            }
        }
        if (!others.isEmpty()) {
            throw foreign(others.keySet().iterator().next() + ", which " + baseFolder + " has not");
        }
    }

    private static Map<String, Parameter> byName(CausalLanguageModel model) {
        Map<String, Parameter> parameters = new LinkedHashMap<>();
        model.decoder().parameters().forEach(parameter -> parameters.put(parameter.name(), parameter));
        return parameters;
    }

    /** @throws RankineException where no linear layer differs */
    void requireUpdate() {
        boolean changed = modules().stream().anyMatch(module -> relativeChange(before(module), after(module)) > 0);
        if (!changed) {
            throw new RankineException(tunedFolder
                    + ": its linear layers are the base's, so there is no update; name the fine-tune's folder"
                    + " as --tuned");
        }
    }

    private RankineException foreign(String difference) {
        return new RankineException(tunedFolder + ": " + difference
                + ": it is no fine-tune of that model; name the base that it began from");
    }

    private static String shape(LinearShape shape) {
        return "[" + shape.outputs() + ", " + shape.inputs() + "]";
    }

    /** The linear layers but for the head, as {@code all-linear} has them. */
    List<LinearShape> modules() {
        return before.values().stream()
                .map(Linear::shape)
                .filter(shape -> !shape.head())
                .toList();
    }

    /** The base's weight as it is stored. */
    Weight before(LinearShape module) {
        return before.get(module.name()).weight().value();
    }

    /** The tuned weight as it is stored. */
    Weight after(LinearShape module) {
        return after.get(module.name()).weight().value();
    }

    /**
     * The decomposition of {@code tuned − base}, {@code [out, in]}.
     *
     * @param values singular values that are enough, or null for all where that is affordable
     */
    Decomposition decompose(LinearShape module, Integer values, Kernels kernels) {
        try (Arena arena = Arena.ofShared()) {
            Tensor update = difference(module, arena);
            String name = tunedFolder + ": " + module.name();
            return values == null
                    ? LowRank.decompose(name, update, VALUES, kernels)
                    : LowRank.largest(name, update, values, kernels);
        }
    }

    private Tensor difference(LinearShape module, Arena arena) {
        Weight old = before(module);
        Weight changed = after(module);
        Tensor difference = Tensor.allocate(arena, module.outputs(), module.inputs());
        for (long row = 0; row < old.rows(); row++) {
            for (long col = 0; col < old.cols(); col++) {
                difference.set(
                        module.transposed() ? col : row,
                        module.transposed() ? row : col,
                        changed.get(row, col) - old.get(row, col));
            }
        }
        return difference;
    }

    /** What no adapter of linear layers can hold and yet has changed, by name, with {@code ‖ΔW‖ / ‖W‖}; the largest first. */
    Map<String, Double> changedBeside(List<String> modules) {
        Map<String, Parameter> others = byName(tuned);
        Map<String, Double> changed = new LinkedHashMap<>();
        for (Parameter parameter : base.decoder().parameters()) {
            String module = parameter.name().replaceFirst("\\.weight$", "");
            if (!modules.contains(module)) {
                double change = relativeChange(
                        parameter.value(), others.get(parameter.name()).value());
                if (change > 0) {
                    changed.put(parameter.name(), change);
                }
            }
        }
        List<Map.Entry<String, Double>> sorted = new ArrayList<>(changed.entrySet());
        sorted.sort(Map.Entry.<String, Double>comparingByValue().reversed());
        Map<String, Double> result = new LinkedHashMap<>();
        sorted.forEach(entry -> result.put(entry.getKey(), entry.getValue()));
        return result;
    }

    /** {@code ‖ΔW‖ / ‖W‖}, where rounding to the type that the tuned weight is stored in is no change; infinite for what was zero. */
    private static double relativeChange(Weight old, Weight changed) {
        double difference = 0;
        double norm = 0;
        DType type = changed instanceof DenseWeight dense ? dense.type() : DType.F32;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment rounded = arena.allocate(Float.BYTES);
            for (long row = 0; row < old.rows(); row++) {
                for (long col = 0; col < old.cols(); col++) {
                    float value = old.get(row, col);
                    type.write(rounded, 0, value);
                    double change = (double) changed.get(row, col) - type.read(rounded, 0);
                    norm += (double) value * value;
                    difference += change * change;
                }
            }
        }
        return difference == 0 ? 0 : Math.sqrt(difference / norm);
    }
}
