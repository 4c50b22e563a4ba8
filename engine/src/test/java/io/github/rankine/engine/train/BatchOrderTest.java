package io.github.rankine.engine.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.engine.nn.Batch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BatchOrderTest {
    private static final List<Sample> SAMPLES = samples(103);

    @Test
    void anEpochHasEverySampleOnce() {
        for (boolean shuffle : new boolean[] {true, false}) {
            for (boolean packing : new boolean[] {true, false}) {
                TrainingConfig config = TrainingConfig.builder()
                        .batchSize(4)
                        .shuffle(shuffle)
                        .packing(packing)
                        .maxLength(40)
                        .build();
                List<int[]> epoch = new BatchOrder(SAMPLES, config).epoch(2);
                assertThat(epoch.stream().flatMapToInt(Arrays::stream).sorted().toArray())
                        .isEqualTo(IntStream.range(0, 103).toArray());
                assertThat(epoch).hasSize(new BatchOrder(SAMPLES, config).batchesPerEpoch());
            }
        }
    }

    @Test
    void aBatchMayBeLargerThanTheData() {
        TrainingConfig config =
                TrainingConfig.builder().batchSize(Integer.MAX_VALUE).build();
        BatchOrder order = new BatchOrder(SAMPLES, config);
        assertThat(order.batchesPerEpoch()).isEqualTo(1);
        assertThat(order.epoch(0))
                .singleElement()
                .satisfies(batch -> assertThat(batch).hasSize(103));
    }

    @Test
    void theOrderIsAFunctionOfSeedAndEpoch() {
        BatchOrder order =
                new BatchOrder(SAMPLES, TrainingConfig.builder().seed(5).build());
        BatchOrder same =
                new BatchOrder(SAMPLES, TrainingConfig.builder().seed(5).build());
        BatchOrder other =
                new BatchOrder(SAMPLES, TrainingConfig.builder().seed(6).build());
        assertThat(flat(order.epoch(1))).isEqualTo(flat(same.epoch(1)));
        assertThat(flat(order.epoch(1))).isNotEqualTo(flat(order.epoch(0)));
        assertThat(flat(order.epoch(1))).isNotEqualTo(flat(other.epoch(1)));
    }

    @Test
    void withoutShufflingTheFilesOrderStays() {
        TrainingConfig config = TrainingConfig.builder().shuffle(false).build();
        assertThat(flat(new BatchOrder(SAMPLES, config).epoch(3)))
                .isEqualTo(IntStream.range(0, 103).boxed().toList());
        TrainingConfig packing = TrainingConfig.builder()
                .shuffle(false)
                .packing(true)
                .maxLength(40)
                .build();
        assertThat(flat(new BatchOrder(SAMPLES, packing).epoch(3)))
                .isEqualTo(IntStream.range(0, 103).boxed().toList());
    }

    @Test
    void batchesAreOfSimilarLength() {
        TrainingConfig config = TrainingConfig.builder().batchSize(4).build();
        double spread = meanSpread(new BatchOrder(SAMPLES, config).epoch(0));
        double unsorted = meanSpread(new BatchOrder(
                        SAMPLES,
                        TrainingConfig.builder().batchSize(4).shuffle(false).build())
                .epoch(0));
        assertThat(spread).isLessThan(unsorted / 3);
    }

    @Test
    void packsAreFewAndNoLongerThanTheMaximum() {
        TrainingConfig config = TrainingConfig.builder()
                .batchSize(1)
                .packing(true)
                .maxLength(40)
                .build();
        List<int[]> packs = new BatchOrder(SAMPLES, config).epoch(0);
        assertThat(packs).allSatisfy(pack -> assertThat(length(pack)).isLessThanOrEqualTo(40));
        int total = SAMPLES.stream().mapToInt(Sample::length).sum();
        long unpairable = SAMPLES.stream().filter(s -> s.length() > 20).count();
        double fewest = Math.max(total / 40.0, unpairable);
        // Johnson's bound (1973) for best fit, longest first.
        assertThat((double) packs.size()).isLessThanOrEqualTo(11.0 / 9 * fewest + 4);
    }

    @Test
    void rowsKeepTheirSamplesPositionsAndShiftedTargets() {
        Batch batch = BatchOrder.batchOf(
                List.of(new Sample(new int[] {10, 11, 12}, new int[] {-100, -100, 12}), Sample.of(20, 21)));
        assertThat(batch.ids()).containsExactly(10, 11, 12, 20, 21);
        assertThat(batch.positions()).containsExactly(0, 1, 2, 0, 1);
        assertThat(batch.starts()).containsExactly(0, 3, 5);
        assertThat(batch.lossRows()).containsExactly(1, 3);
        assertThat(batch.targets()).containsExactly(12, 21);
    }

    private static double meanSpread(List<int[]> batches) {
        return batches.stream()
                .mapToInt(batch -> IntStream.of(batch)
                                .map(i -> SAMPLES.get(i).length())
                                .max()
                                .orElseThrow()
                        - IntStream.of(batch)
                                .map(i -> SAMPLES.get(i).length())
                                .min()
                                .orElseThrow())
                .average()
                .orElseThrow();
    }

    private static int length(int[] pack) {
        return IntStream.of(pack).map(i -> SAMPLES.get(i).length()).sum();
    }

    private static List<Integer> flat(List<int[]> batches) {
        return batches.stream().flatMapToInt(Arrays::stream).boxed().toList();
    }

    private static List<Sample> samples(int count) {
        Random random = new Random(3);
        List<Sample> samples = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            samples.add(Sample.of(random.ints(2 + random.nextInt(30), 0, 9).toArray()));
        }
        return samples;
    }
}
