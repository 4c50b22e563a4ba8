package io.github.rankine.bench;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Locale;
import java.util.Random;

/** What benchmarks compute with: random numbers of an activation's size. */
public final class Operands {
    private Operands() {}

    public static Tensor tensor(Arena arena, long rows, long cols) {
        return weight(arena, DType.F32, rows, cols).asTensor();
    }

    public static DenseWeight weight(Arena arena, DType type, long rows, long cols) {
        Random random = new Random(rows * 31 + cols);
        DenseWeight weight =
                new DenseWeight(type, rows, cols, arena.allocate(rows * cols * type.bytes(), Tensor.ALIGNMENT));
        for (long i = 0; i < weight.size(); i++) {
            type.write(weight.data(), i, random.nextFloat() - 0.5f);
        }
        return weight;
    }

    /** The type that an option names. */
    static DType type(String option, String name) {
        try {
            return DType.valueOf(name.toUpperCase(Locale.ROOT));
        } catch (IllegalArgumentException e) {
            throw new RankineException(option + " " + name + ": there are f32, bf16, f16", e);
        }
    }
}
