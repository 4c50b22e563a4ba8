package io.github.rankine.engine.lora;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Dropout;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Function;
import java.util.stream.LongStream;

/** Puts an adapter together: fresh, from what is stored, or from shapes alone. */
final class LoraBuilder {
    private final LoraConfig config;
    private final BaseShape base;
    private final Arena arena;
    private final PrincipalComponents components;
    private final SequencedMap<String, LoraModule> modules = new LinkedHashMap<>();
    private final SequencedMap<String, LoraEmbedding> embeddings = new LinkedHashMap<>();
    private final SequencedMap<String, Parameter> replaced = new LinkedHashMap<>();

    LoraBuilder(LoraConfig config, BaseShape base, Arena arena, PrincipalComponents components) {
        this.config = config;
        this.base = base;
        this.arena = arena;
        this.components = components;
    }

    private LoraAdapter finish() {
        return new LoraAdapter(config, modules, embeddings, replaced);
    }

    // ---- fresh ---------------------------------------------------------------------------------------------------

    LoraAdapter fresh(long seed) {
        List<LinearShape> targets = LoraAdapter.targets(config, base);
        Map<String, LoraWeights> principal = principal(targets);
        for (LinearShape shape : targets) {
            int rank = config.rank(shape.name());
            if (shape.equals(base.embedding())) {
                addEmbedding(shape, Tensor.allocate(arena, shape.inputs(), rank), normal(shape.outputs(), rank, seed));
            } else if (config.initialization().isPissa()) {
                LoraWeights initial = principal.get(shape.name());
                LoraWeights copy = new LoraWeights(
                        initial.a().toTensor(arena).asWeight(),
                        initial.b().toTensor(arena).asWeight());
                addModule(shape, copy, initial);
            } else {
                Tensor a = uniform(
                        rank,
                        shape.inputs(),
                        Dropout.seedOf(seed, base.linears().indexOf(shape)));
                Tensor b = Tensor.allocate(arena, shape.outputs(), rank);
                Weight magnitude = config.dora() ? norms(shape) : null;
                addModule(shape, new LoraWeights(a.asWeight(), b.asWeight(), magnitude), null);
            }
        }
        savedParameters(config, base)
                .forEach((name, weight) ->
                        addReplaced(name, weight.toTensor(arena).asWeight()));
        return finish();
    }

    private Tensor uniform(long rank, long inputs, long seed) {
        Tensor a = Tensor.allocate(arena, rank, inputs);
        float bound = (float) (1 / Math.sqrt(inputs));
        for (long i = 0; i < a.size(); i++) {
            a.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (2 * Dropout.uniform(seed, i) - 1) * bound);
        }
        return a;
    }

    private Tensor normal(long rows, long cols, long seed) {
        Tensor tensor = Tensor.allocate(arena, rows, cols);
        long embeddingSeed = Dropout.seedOf(seed, -1);
        for (long i = 0; i < tensor.size(); i++) {
            tensor.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) Dropout.normal(embeddingSeed, i));
        }
        return tensor;
    }

    /** The lengths of the rows of a layer's weight. */
    private Weight norms(LinearShape shape) {
        Weight weight = weightOf(shape);
        Tensor norms = Tensor.allocate(arena, 1, shape.outputs());
        LongStream.range(0, shape.outputs()).parallel().forEach(out -> {
            double squares = 0;
            for (long in = 0; in < shape.inputs(); in++) {
                double element = shape.transposed() ? weight.get(in, out) : weight.get(out, in);
                squares += element * element;
            }
            norms.set(0, out, (float) Math.sqrt(squares));
        });
        return norms.asWeight();
    }

    /** PiSSA's first matrices by layer: the weight's principal part, divided by the scaling that the layer's output will have. */
    private Map<String, LoraWeights> principal(List<LinearShape> shapes) {
        if (!config.initialization().isPissa()) {
            return Map.of();
        }
        List<PrincipalComponents.Layer> layers = shapes.stream()
                .filter(shape -> !shape.equals(base.embedding()))
                .map(shape -> new PrincipalComponents.Layer(shape, weightOf(shape), config.rank(shape.name())))
                .toList();
        List<LoraWeights> parts = components.of(layers, config.initialization().iterations(), arena);
        Map<String, LoraWeights> principal = new LinkedHashMap<>();
        for (int i = 0; i < parts.size(); i++) {
            String name = layers.get(i).shape().name();
            float factor = (float) (1 / Math.sqrt(config.scaling(name)));
            multiply(parts.get(i).a().asTensor(), factor);
            multiply(parts.get(i).b().asTensor(), factor);
            principal.put(name, parts.get(i));
        }
        return principal;
    }

    private static void multiply(Tensor tensor, float factor) {
        for (long i = 0; i < tensor.size(); i++) {
            float value = tensor.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
            tensor.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, value * factor);
        }
    }

    private Weight weightOf(LinearShape shape) {
        String name = shape.name() + ".weight";
        return base.parameters().stream()
                .filter(parameter -> parameter.name().equals(name))
                .findFirst()
                .or(() -> base.parameters().stream()
                        .filter(parameter ->
                                parameter.name().equals(base.embedding().name() + ".weight"))
                        .findFirst())
                .orElseThrow(() -> new IllegalArgumentException("the base's weights are not known"))
                .value();
    }

    // ---- planned -------------------------------------------------------------------------------------------------

    LoraAdapter planned() {
        for (LinearShape shape : LoraAdapter.targets(config, base)) {
            int rank = config.rank(shape.name());
            if (shape.equals(base.embedding())) {
                addEmbedding(shape, Tensor.shapeOnly(shape.inputs(), rank), Tensor.shapeOnly(shape.outputs(), rank));
                continue;
            }
            LoraWeights matrices = new LoraWeights(
                    DenseWeight.shapeOnly(DType.F32, rank, shape.inputs()),
                    DenseWeight.shapeOnly(DType.F32, shape.outputs(), rank),
                    config.dora() ? DenseWeight.shapeOnly(DType.F32, 1, shape.outputs()) : null);
            addModule(shape, matrices, config.initialization().isPissa() ? matrices : null);
        }
        savedParameters(config, base)
                .forEach((name, weight) ->
                        addReplaced(name, DenseWeight.shapeOnly(DType.F32, weight.rows(), weight.cols())));
        return finish();
    }

    // ---- stored --------------------------------------------------------------------------------------------------

    LoraAdapter of(AdapterWeights stored) {
        for (String module : stored.modules().keySet()) {
            if (base.linear(module).isEmpty()) {
                throw unknown(module + ".lora_A.weight");
            }
        }
        for (String module : stored.embeddings().keySet()) {
            if (!base.embedding().name().equals(module)) {
                throw unknown(module + ".lora_embedding_A");
            }
        }
        for (LinearShape shape : LoraAdapter.targets(config, base)) {
            if (!stored.lowRank().containsKey(shape.name())) {
                throw new RankineException("the adapter lacks " + shape.name()
                        + (shape.equals(base.embedding()) ? ".lora_embedding_A" : ".lora_A.weight")
                        + ", which its target_modules name in this base: it was made for another base model");
            }
        }
        for (String name :
                savedParameters(config.withBias(LoraConfig.Bias.NONE), base).keySet()) {
            if (!stored.replaced().containsKey(name)) {
                throw new RankineException("the adapter lacks " + name
                        + ", which its modules_to_save name in this base: it was made for another base model");
            }
        }
        stored.embeddings().forEach((name, matrices) -> addStoredEmbedding(matrices));
        List<LinearShape> adapted = base.linears().stream()
                .filter(shape -> stored.modules().containsKey(shape.name()))
                .toList();
        adapted.forEach(shape -> check(shape, stored.modules().get(shape.name())));
        Map<String, LoraWeights> principal = principal(adapted);
        adapted.forEach(shape -> addStored(shape, stored.modules().get(shape.name()), principal.get(shape.name())));
        Map<String, Weight> known = savable(base);
        stored.replaced().forEach((name, weight) -> {
            Weight own = known.get(name);
            if (own == null) {
                throw unknown(name);
            }
            check(name, weight, own.rows(), own.cols());
            addReplaced(name, weight.toTensor(arena).asWeight());
        });
        return finish();
    }

    private static RankineException unknown(String tensor) {
        return new RankineException(
                "the adapter has " + tensor + ", but this base has no such layer: it was made for another base model");
    }

    private void check(LinearShape shape, LoraWeights matrices) {
        int rank = config.rank(shape.name());
        check(shape.name() + ".lora_A.weight", matrices.a(), rank, shape.inputs());
        check(shape.name() + ".lora_B.weight", matrices.b(), shape.outputs(), rank);
        if (matrices.magnitude() != null) {
            check(shape.name() + ".lora_magnitude_vector", matrices.magnitude(), 1, shape.outputs());
        }
    }

    private void addStored(LinearShape shape, LoraWeights matrices, LoraWeights principal) {
        Function<Weight, Weight> copy =
                weight -> weight == null ? null : weight.toTensor(arena).asWeight();
        addModule(
                shape,
                new LoraWeights(copy.apply(matrices.a()), copy.apply(matrices.b()), copy.apply(matrices.magnitude())),
                principal);
    }

    private void addStoredEmbedding(LoraWeights matrices) {
        LinearShape shape = base.embedding();
        int rank = config.rank(shape.name());
        check(shape.name() + ".lora_embedding_A", matrices.a(), rank, shape.inputs());
        check(shape.name() + ".lora_embedding_B", matrices.b(), shape.outputs(), rank);
        addEmbedding(shape, matrices.a().transposed(arena), matrices.b().toTensor(arena));
    }

    private static void check(String tensor, Weight found, long rows, long cols) {
        if (found.rows() != rows || found.cols() != cols) {
            throw new RankineException("the adapter's " + tensor + " is [" + found.rows() + ", " + found.cols()
                    + "], this base needs [" + rows + ", " + cols + "]: it was made for another base model");
        }
    }

    // ---- parts ---------------------------------------------------------------------------------------------------

    private void addModule(LinearShape shape, LoraWeights matrices, LoraWeights principal) {
        String name = shape.name();
        PlainLora plain = plain(name, matrices, config.dropout());
        if (matrices.magnitude() != null) {
            Parameter magnitude = new Parameter(name + ".lora_magnitude_vector", matrices.magnitude());
            boolean real = matrices.magnitude().hasMemory();
            RowNorms norms = real ? RowNorms.allocate(arena, shape.outputs()) : RowNorms.planned(shape.outputs());
            modules.put(name, new Dora(plain, magnitude, norms));
        } else if (principal != null) {
            modules.put(name, new Pissa(plain, plain(name + ".initial", principal, 0)));
        } else {
            modules.put(name, plain);
        }
    }

    private PlainLora plain(String name, LoraWeights matrices, double dropout) {
        return new PlainLora(
                new Parameter(name + ".lora_A.weight", matrices.a()),
                new Parameter(name + ".lora_B.weight", matrices.b()),
                config.scaling(name),
                dropout);
    }

    private void addEmbedding(LinearShape shape, Tensor a, Tensor b) {
        if (config.dora() || config.initialization().isPissa()) {
            throw new RankineException("target module '" + shape.name() + "': Rankine has no "
                    + (config.dora() ? "DoRA" : "PiSSA") + " of embeddings; leave it out of the target modules");
        }
        String name = shape.name();
        embeddings.put(
                name,
                new LoraEmbedding(
                        new Parameter(name + ".lora_embedding_A", a.asWeight()),
                        new Parameter(name + ".lora_embedding_B", b.asWeight()),
                        config.scaling(name)));
    }

    private void addReplaced(String name, Weight weight) {
        replaced.put(name, new Parameter(name, weight));
    }

    /** The base's weights that the configuration asks to train themselves: modules to save, and biases. */
    static SequencedMap<String, Weight> savedParameters(LoraConfig config, BaseShape base) {
        SequencedMap<String, Weight> saved = new LinkedHashMap<>();
        savable(base).forEach((name, weight) -> {
            String module = module(name);
            boolean bias = name.endsWith(".bias");
            boolean trained = switch (config.bias()) {
                case NONE -> false;
                case LORA_ONLY ->
                    base.linear(module)
                            .filter(shape -> config.targets(module, shape.head()))
                            .isPresent();
                case ALL -> true;
            };
            if (config.saves(module) || (bias && trained)) {
                saved.put(name, weight);
            }
        });
        return saved;
    }

    /** The base's weights by name; a head that is tied to the embedding under its own. */
    private static Map<String, Weight> savable(BaseShape base) {
        Map<String, Weight> weights = new LinkedHashMap<>();
        base.parameters().forEach(parameter -> weights.put(parameter.name(), parameter.value()));
        String head = base.linears().getLast().name() + ".weight";
        weights.computeIfAbsent(head, _ -> weights.get(base.embedding().name() + ".weight"));
        return weights;
    }

    /** The module that a weight or bias belongs to. */
    static String module(String parameter) {
        return parameter.substring(0, parameter.lastIndexOf('.'));
    }
}
