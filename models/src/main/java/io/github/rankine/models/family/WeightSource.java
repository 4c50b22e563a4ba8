package io.github.rankine.models.family;

import io.github.rankine.engine.kernels.Dropout;
import io.github.rankine.engine.quant.Quantization;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.quantized.BitsAndBytes;
import io.github.rankine.models.safetensors.Checkpoint;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/** Where a model's weights come from. */
interface WeightSource {
    /** What a weight is for, which decides how a fresh one begins. */
    enum Role {
        /** A linear layer's matrix, {@code [out, in]}. */
        LINEAR,
        /** The same stored {@code [in, out]}; where it is quantised, it is {@code [out, in]} all the same. */
        CONV1D,
        /** A row a token or a position. */
        EMBEDDING,
        /** The factor of a normalisation. */
        GAIN,
        /** Added to something. */
        BIAS
    }

    /** The weight of that name, {@code rows × cols}; a vector is one row. */
    Weight weight(String name, long rows, long cols, Role role);

    /** A checkpoint's tensors, mapped. */
    static WeightSource of(Checkpoint checkpoint, TensorNames names) {
        return (name, rows, cols, role) -> {
            String stored = names.stored(name);
            if (!BitsAndBytes.isQuantized(checkpoint, stored)) {
                return checkpoint.weight(stored, rows, cols);
            }
            boolean turned = role == Role.CONV1D;
            return BitsAndBytes.read(checkpoint, stored, turned ? cols : rows, turned ? rows : cols);
        };
    }

    /** The same with linear layers quantised in {@code arena}. */
    static WeightSource quantizing(Checkpoint checkpoint, TensorNames names, QuantizedType type, Arena arena) {
        WeightSource mapped = of(checkpoint, names);
        LinearQuantizer quantizer = new LinearQuantizer(checkpoint, names, type);
        return (name, rows, cols, role) -> role == Role.LINEAR || role == Role.CONV1D
                ? quantizer.quantize(name, rows, cols, role == Role.CONV1D, arena, arena)
                : mapped.weight(name, rows, cols, role);
    }

    /** The same weights, copied to float32 in {@code arena}. */
    default WeightSource copiedTo(Arena arena) {
        return (name, rows, cols, role) ->
                weight(name, rows, cols, role).toTensor(arena).asWeight();
    }

    /**
     * Shapes alone, in the type that the checkpoint would have.
     *
     * @param quantization of the linear layers, if they are quantised
     */
    static WeightSource planned(DType type, Optional<QuantizedType> quantization) {
        return (name, rows, cols, role) -> switch (role) {
            case LINEAR ->
                quantization
                        .<Weight>map(codes -> Quantization.planned(codes, rows, cols))
                        .orElseGet(() -> DenseWeight.shapeOnly(type, rows, cols));
            case CONV1D ->
                quantization
                        .<Weight>map(codes -> Quantization.planned(codes, cols, rows))
                        .orElseGet(() -> DenseWeight.shapeOnly(type, rows, cols));
            case EMBEDDING, GAIN, BIAS -> DenseWeight.shapeOnly(type, rows, cols);
        };
    }

    /**
     * Fresh float32 weights as Transformers initialises them: matrices from a normal distribution, gains 1, biases 0.
     *
     * @param deviation standard deviation of the matrices (initializer_range)
     */
    static WeightSource initialized(double deviation, long seed, Arena arena) {
        return (name, rows, cols, role) -> {
            Tensor tensor = Tensor.allocate(arena, rows, cols);
            long nameSeed = Dropout.seedOf(seed, name.hashCode());
            for (long i = 0; i < tensor.size(); i++) {
                double value = switch (role) {
                    case LINEAR, CONV1D, EMBEDDING -> deviation * Dropout.normal(nameSeed, i);
                    case GAIN -> 1;
                    case BIAS -> 0;
                };
                tensor.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) value);
            }
            return tensor.asWeight();
        };
    }
}
