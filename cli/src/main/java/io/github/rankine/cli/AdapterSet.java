package io.github.rankine.cli;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.LinearShape;
import io.github.rankine.engine.lora.LoraWeights;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.models.peft.PeftAdapter;
import io.github.rankine.models.peft.PeftConfig;
import io.github.rankine.reference.combine.WeightedUpdate;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** Several adapters of one base, opened, each with its weight. */
final class AdapterSet implements AutoCloseable {
    private final List<WeightedAdapter> named;
    private final List<PeftAdapter> opened = new ArrayList<>();
    private final Map<String, LinearShape> modules = new LinkedHashMap<>();

    private AdapterSet(List<WeightedAdapter> named) {
        this.named = named;
    }

    /**
     * Opens them.
     *
     * @throws RankineException where one cannot be read, or two were made for different bases
     */
    static AdapterSet open(List<WeightedAdapter> named) {
        AdapterSet set = new AdapterSet(named);
        try {
            named.forEach(adapter -> set.opened.add(PeftAdapter.open(adapter.folder())));
            set.opened.forEach(adapter -> adapter.requirePlain("a combination"));
            set.collectModules();
            set.requireOneLayout();
            return set;
        } catch (RuntimeException | Error e) {
            set.close();
            throw e;
        }
    }

    private void collectModules() {
        Map<String, Path> foundIn = new LinkedHashMap<>();
        for (int i = 0; i < opened.size(); i++) {
            Path folder = named.get(i).folder();
            for (Map.Entry<String, LoraWeights> entry : opened.get(i).modules().entrySet()) {
                String module = entry.getKey();
                LoraWeights factors = entry.getValue();
                LinearShape shape =
                        new LinearShape(module, factors.a().cols(), factors.b().rows(), false, false);
                LinearShape known = modules.putIfAbsent(module, shape);
                if (known != null && !known.equals(shape)) {
                    throw new RankineException(folder + ": the update of " + module + " is " + text(shape) + ", in "
                            + foundIn.get(module) + " it is " + text(known)
                            + "; they were made for different base models");
                }
                foundIn.putIfAbsent(module, folder);
            }
        }
    }

    private static String text(LinearShape shape) {
        return "[" + shape.outputs() + ", " + shape.inputs() + "]";
    }

    private void requireOneLayout() {
        for (int i = 1; i < opened.size(); i++) {
            if (opened.get(i).config().fanInFanOut() != fanInFanOut()) {
                throw new RankineException(named.get(i).folder().resolve(PeftConfig.FILE) + ": fan_in_fan_out is "
                        + !fanInFanOut() + ", in " + named.getFirst().folder() + " it is " + fanInFanOut()
                        + "; they were made for different base models");
            }
        }
    }

    /** Every module that any of them has; one that an adapter lacks it leaves as it is. */
    List<LinearShape> modules() {
        return List.copyOf(modules.values());
    }

    /** What those that have the module bring to it. */
    List<WeightedUpdate> updates(String module) {
        List<WeightedUpdate> updates = new ArrayList<>();
        for (int i = 0; i < opened.size(); i++) {
            LoraWeights factors = opened.get(i).modules().get(module);
            if (factors != null) {
                updates.add(new WeightedUpdate(
                        named.get(i).folder() + ": " + module,
                        factors,
                        opened.get(i).config().lora().scaling(module),
                        named.get(i).weight()));
            }
        }
        return updates;
    }

    /** The largest rank that a module has in any of them. */
    int largestRank() {
        return opened.stream()
                .flatMap(adapter -> adapter.modules().values().stream())
                .mapToInt(LoraWeights::rank)
                .max()
                .orElseThrow();
    }

    boolean fanInFanOut() {
        return opened.getFirst().config().fanInFanOut();
    }

    /** The base that they name, the first one that does. */
    Optional<String> base() {
        return opened.stream()
                .flatMap(adapter -> adapter.config().baseModelNameOrPath().stream())
                .findFirst();
    }

    /** How their base was quantised while they were trained, where all agree. */
    Optional<QuantizedType> baseQuantization() {
        List<Optional<QuantizedType>> all = opened.stream()
                .map(adapter -> adapter.config().baseQuantization())
                .distinct()
                .toList();
        return all.size() == 1 ? all.getFirst() : Optional.empty();
    }

    /** What is to be said where they name different bases: the same one may have two names. */
    Optional<String> doubt() {
        for (int i = 0; i < opened.size(); i++) {
            if (!opened.get(i)
                    .config()
                    .baseQuantization()
                    .equals(opened.getFirst().config().baseQuantization())) {
                return Optional.of(named.get(i).folder() + ": trained over its base in other bits than "
                        + named.getFirst().folder() + "; the combination fits neither base exactly");
            }
            Optional<String> other = opened.get(i).config().baseModelNameOrPath();
            if (other.isPresent() && !Objects.equals(other, base())) {
                return Optional.of(named.get(i).folder() + ": names '" + other.get() + "' as its base, the first that"
                        + " does names '" + base().get() + "', which is taken; are they the same weights?");
            }
        }
        return Optional.empty();
    }

    /** As in {@code 0.7 x runs/french}. */
    List<String> parts() {
        return named.stream()
                .map(adapter -> adapter.weight() + " x " + adapter.folder())
                .toList();
    }

    @Override
    public void close() {
        opened.forEach(PeftAdapter::close);
    }
}
