package io.github.rankine.reference;

import static io.github.rankine.reference.Samples.normal;
import static io.github.rankine.reference.Samples.scaled;

import io.github.rankine.engine.kernels.AdamWStep;
import io.github.rankine.engine.tensor.DType;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

interface OptimiserContract extends KernelsUnderTest {
    /** The learning rate is large, so that the parameter is as sensitive to the update as to what it was. */
    static Stream<AdamWStep> steps() {
        return Stream.of(
                new AdamWStep(1, 0.3, 0.9, 0.999, 1e-8, 0, 1),
                new AdamWStep(7, 0.3, 0.9, 0.999, 1e-8, 0.1, 0.25),
                new AdamWStep(100_000, 0.3, 0.8, 0.95, 1e-3, 0.01, 1));
    }

    /** A fifth of the elements has never had a gradient: these only decay. */
    private static double[] withZeros(double[] values) {
        for (int i = 0; i < values.length; i += 5) {
            values[i] = 0;
        }
        return values;
    }

    @TestFactory
    default Stream<DynamicTest> adamW() {
        return ElementwiseContract.matrices()
                .flatMap(s -> steps().flatMap(step -> {
                    double[] parameter = normal(1, s.size());
                    double[] gradient = withZeros(scaled(normal(2, s.size()), 0.1));
                    double[] first = withZeros(scaled(normal(3, s.size()), 0.1));
                    double[] roots = withZeros(scaled(normal(4, s.size()), 0.1));
                    double[] second = Samples.rounded(
                            DType.F32, DoubleStream.of(roots).map(x -> x * x).toArray());
                    double[] expectedParameter = parameter.clone();
                    double[] expectedFirst = first.clone();
                    double[] expectedSecond = second.clone();
                    AdamW.step(expectedParameter, gradient, expectedFirst, expectedSecond, step);
                    return trials(s + " step=" + step.step(), t -> {
                        var out = t.output(parameter, s.n(), s.d());
                        var outFirst = t.output(first, s.n(), s.d());
                        var outSecond = t.output(second, s.n(), s.d());
                        t.kernels().adamW(out, t.input(gradient, s.n(), s.d()), outFirst, outSecond, step);
                        t.expectEach(out, expectedParameter, 0.1);
                        t.expectEach(outFirst, expectedFirst, 0.01);
                        t.expectEach(outSecond, expectedSecond, 0);
                    });
                }));
    }
}
