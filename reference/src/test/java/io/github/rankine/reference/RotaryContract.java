package io.github.rankine.reference;

import static io.github.rankine.reference.Samples.normal;

import io.github.rankine.engine.tensor.DType;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

interface RotaryContract extends KernelsUnderTest {
    int POSITIONS = 77;

    @TestFactory
    default Stream<DynamicTest> rotary() {
        int[] rows = {1, 2, 7, 17, 65, 300};
        int[] headCounts = {1, 2, 3, 9, 4, 5};
        return Stream.of(2, 6, 8, 64, 80, 128).flatMap(headDim -> {
            double[] table = rotaryTable(headDim);
            return IntStream.range(0, rows.length).boxed().flatMap(i -> {
                int width = headCounts[i] * headDim;
                boolean inverse = i % 2 == 1;
                int[] positions = new Random(i).ints(rows[i], 0, POSITIONS).toArray();
                double[] x = normal(1, rows[i] * width);
                double[] expected = x.clone();
                Rotary.rotate(expected, width, positions, table, headDim, inverse);
                String name = "n=" + rows[i] + " heads=" + headCounts[i] + " headDim=" + headDim;
                return trials(name + (inverse ? " inverse" : ""), t -> {
                    var inPlace = t.output(x, rows[i], width);
                    t.kernels().rotary(inPlace, positions, t.input(table, POSITIONS, headDim), headDim, inverse);
                    t.expectEach(inPlace, expected, 0.1);
                });
            });
        });
    }

    private static double[] rotaryTable(int headDim) {
        int half = headDim / 2;
        double[] table = new double[POSITIONS * headDim];
        for (int position = 0; position < POSITIONS; position++) {
            for (int i = 0; i < half; i++) {
                double angle = position * Math.pow(10_000, -(double) i / half);
                table[position * headDim + i] = Math.cos(angle);
                table[position * headDim + half + i] = Math.sin(angle);
            }
        }
        return Samples.rounded(DType.F32, table);
    }
}
