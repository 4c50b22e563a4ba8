package io.github.rankine.reference;

import static io.github.rankine.reference.Samples.normal;
import static io.github.rankine.reference.Samples.plus;
import static io.github.rankine.reference.Samples.size;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.rankine.engine.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.SegmentAllocator;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

interface RowsContract extends KernelsUnderTest {
    /** {@code indices.length} rows of {@code d} elements out of {@code count}. */
    record Selection(int[] indices, int count, int d, boolean accumulate) {
        int n() {
            return indices.length;
        }

        @Override
        public String toString() {
            return n() + " rows of " + count + " x " + d + (accumulate ? " accumulate" : "");
        }
    }

    /** Token ids, most of them repeated. */
    static Stream<Selection> ids() {
        return IntStream.range(0, Samples.SIZES.length).mapToObj(i -> {
            int count = size(i, 7);
            int[] ids = new Random(i).ints(size(i, 3), 0, count).toArray();
            return new Selection(ids, count, size(i, 1), i % 2 == 1);
        });
    }

    /** Distinct rows in any order. */
    static Stream<Selection> distinctRows() {
        return IntStream.range(0, Samples.SIZES.length).mapToObj(i -> {
            int count = size(i, 7);
            List<Integer> all = IntStream.range(0, count).boxed().collect(Collectors.toList());
            Collections.shuffle(all, new Random(i));
            int[] rows = all.stream()
                    .mapToInt(Integer::intValue)
                    .limit((count + 1) / 2)
                    .toArray();
            return new Selection(rows, count, size(i, 1), i % 2 == 1);
        });
    }

    @TestFactory
    default Stream<DynamicTest> embedding() {
        return ids().flatMap(s -> Stream.of(DType.values()).flatMap(type -> {
            double[] table = normal(1, s.count * s.d, type);
            double[] initial = s.accumulate ? normal(2, s.n() * s.d) : null;
            double[] expected = plus(Rows.gather(table, s.indices, s.d), initial);
            return trials(s + " " + type, t -> {
                var y = t.output(initial, s.n(), s.d);
                t.kernels().embedding(s.indices, t.weight(type, table, s.count, s.d), y, s.accumulate);
                t.expectExactly(y, expected);
            });
        }));
    }

    @TestFactory
    default Stream<DynamicTest> embeddingBackward() {
        return ids().flatMap(s -> {
            double[] dy = normal(1, s.n() * s.d);
            double[] initial = normal(2, s.count * s.d);
            double[] expected = plus(Rows.gatherBackward(dy, s.indices, s.d, s.count), initial);
            return trials(s.toString(), t -> {
                var dTable = t.output(initial, s.count, s.d);
                t.kernels().embeddingBackward(s.indices, t.input(dy, s.n(), s.d), dTable);
                t.expect(dTable, expected, Math.sqrt((double) s.n() / s.count));
            });
        });
    }

    @TestFactory
    default Stream<DynamicTest> gatherRows() {
        return distinctRows().flatMap(s -> {
            double[] x = normal(1, s.count * s.d);
            return trials(s.toString(), t -> {
                var y = t.output(null, s.n(), s.d);
                t.kernels().gatherRows(t.input(x, s.count, s.d), s.indices, y);
                t.expectExactly(y, Rows.gather(x, s.indices, s.d));
            });
        });
    }

    @TestFactory
    default Stream<DynamicTest> gatherRowsBackward() {
        return distinctRows().flatMap(s -> {
            double[] dy = normal(1, s.n() * s.d);
            double[] initial = s.accumulate ? normal(2, s.count * s.d) : null;
            double[] expected = plus(Rows.gatherBackward(dy, s.indices, s.d, s.count), initial);
            return trials(s.toString(), t -> {
                var dx = t.output(initial, s.count, s.d);
                t.kernels().gatherRowsBackward(s.indices, t.input(dy, s.n(), s.d), dx, s.accumulate);
                t.expectExactly(dx, expected);
            });
        });
    }

    @Test
    default void rowsRefuseAnIndexThatIsNone() {
        Trial t = new Trial(
                kernels().getFirst(), SegmentAllocator.slicingAllocator(slab()), Arena.global(), Trial.Layout.ALIGNED);
        for (int index : new int[] {-1, 4}) {
            int[] indices = {0, index};
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> t.kernels()
                            .embedding(
                                    indices, t.weight(DType.BF16, new double[12], 4, 3), t.output(null, 2, 3), false));
            assertThatIllegalArgumentException()
                    .isThrownBy(() ->
                            t.kernels().embeddingBackward(indices, t.input(new double[6], 2, 3), t.output(null, 4, 3)));
            assertThatIllegalArgumentException()
                    .isThrownBy(
                            () -> t.kernels().gatherRows(t.input(new double[12], 4, 3), indices, t.output(null, 2, 3)));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> t.kernels()
                            .crossEntropy(t.output(new double[8], 2, 4), indices, t.output(null, 2, 1), true, 1f));
        }
    }
}
