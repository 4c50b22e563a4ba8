package io.github.rankine.engine.train;

import io.github.rankine.engine.nn.Batch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;

/**
 * Which samples meet in which batch. The batches of an epoch are a function of the samples, the configuration and the
 * epoch's number alone, so that an interrupted run can go on where it stopped.
 *
 * <p>A batch holds {@code batchSize} sequences of similar length; with packing a sequence is several samples whose
 * lengths add up to at most {@code maxLength}.
 */
final class BatchOrder {
    /** Batches whose samples are sorted by length together: enough to be alike, few enough to stay random. */
    private static final int SORTED_TOGETHER = 32;

    private final List<Sample> samples;
    private final TrainingConfig config;
    private final List<int[]> sequences;

    /** The configured one, or all sequences where there are fewer. */
    private final int batchSize;

    BatchOrder(List<Sample> samples, TrainingConfig config) {
        this.samples = samples;
        this.config = config;
        this.sequences = config.packing() ? pack() : singles();
        this.batchSize = Math.min(config.batchSize(), sequences.size());
    }

    int batchesPerEpoch() {
        return Math.ceilDiv(sequences.size(), batchSize);
    }

    /** The batches of an epoch in order, each as indices of samples. */
    List<int[]> epoch(int epoch) {
        List<int[]> order = new ArrayList<>(sequences);
        if (!config.shuffle()) {
            return cut(order);
        }
        Random random = new Random(config.seed() * 1_000_003 + epoch);
        Collections.shuffle(order, random);
        int span = (int) Math.min((long) SORTED_TOGETHER * batchSize, order.size());
        for (int first = 0; first < order.size(); first += span) {
            order.subList(first, Math.min(first + span, order.size()))
                    .sort(Comparator.comparingInt(this::length).reversed());
        }
        List<int[]> batches = cut(order);
        Collections.shuffle(batches, random);
        return batches;
    }

    private List<int[]> cut(List<int[]> order) {
        List<int[]> batches = new ArrayList<>();
        for (int first = 0; first < order.size(); first += batchSize) {
            batches.add(order.subList(first, Math.min(first + batchSize, order.size())).stream()
                    .flatMapToInt(Arrays::stream)
                    .toArray());
        }
        return batches;
    }

    /** The longest sequences together, every token learned: no batch of any epoch needs more memory. */
    Batch largest() {
        return batchOf(sequences.stream()
                .sorted(Comparator.comparingInt(this::length).reversed())
                .limit(batchSize)
                .flatMapToInt(Arrays::stream)
                .mapToObj(index -> Sample.of(samples.get(index).inputIds()))
                .toList());
    }

    /** The samples of a batch as rows. */
    Batch batch(int[] indices) {
        return batchOf(IntStream.of(indices).mapToObj(samples::get).toList());
    }

    /** Each sample as a sequence of its own, positions from 0. */
    static Batch batchOf(List<Sample> samples) {
        int tokens = samples.stream().mapToInt(Sample::length).sum();
        int learned = samples.stream().mapToInt(Sample::learnedTokens).sum();
        Batch batch = new Batch(
                new int[tokens], new int[tokens], new int[samples.size() + 1], new int[learned], new int[learned]);
        int row = 0;
        int next = 0;
        for (int s = 0; s < samples.size(); s++) {
            int[] ids = samples.get(s).inputIds();
            int[] labels = samples.get(s).labels();
            batch.starts()[s] = row;
            for (int t = 0; t < ids.length; t++, row++) {
                batch.ids()[row] = ids[t];
                batch.positions()[row] = t;
                if (t + 1 < ids.length && labels[t + 1] != Sample.IGNORED) {
                    batch.lossRows()[next] = row;
                    batch.targets()[next++] = labels[t + 1];
                }
            }
        }
        batch.starts()[samples.size()] = row;
        return batch;
    }

    private int length(int[] sequence) {
        return IntStream.of(sequence).map(i -> samples.get(i).length()).sum();
    }

    private List<int[]> singles() {
        return IntStream.range(0, samples.size()).mapToObj(i -> new int[] {i}).toList();
    }

    private List<int[]> pack() {
        return config.shuffle() ? packBestFit() : packInOrder();
    }

    /** In the order of the file: a sequence ends where the next sample does not fit. */
    private List<int[]> packInOrder() {
        List<int[]> packed = new ArrayList<>();
        List<Integer> open = new ArrayList<>();
        int length = 0;
        for (int i = 0; i < samples.size(); i++) {
            int next = samples.get(i).length();
            if (!open.isEmpty() && length + next > config.maxLength()) {
                packed.add(toArray(open));
                open.clear();
                length = 0;
            }
            open.add(i);
            length += next;
        }
        packed.add(toArray(open));
        return packed;
    }

    /** Best fit, longest first: few tokens of a sequence stay unused. */
    private List<int[]> packBestFit() {
        List<Integer> byLength =
                new ArrayList<>(IntStream.range(0, samples.size()).boxed().toList());
        byLength.sort(
                Comparator.comparingInt((Integer i) -> samples.get(i).length()).reversed());
        TreeMap<Integer, List<List<Integer>>> byRoom = new TreeMap<>();
        List<List<Integer>> packed = new ArrayList<>();
        for (int i : byLength) {
            int length = samples.get(i).length();
            Map.Entry<Integer, List<List<Integer>>> fit = byRoom.ceilingEntry(length);
            int room = fit == null ? config.maxLength() : fit.getKey();
            List<Integer> bin;
            if (fit == null) {
                bin = new ArrayList<>();
                packed.add(bin);
            } else {
                bin = fit.getValue().removeLast();
                if (fit.getValue().isEmpty()) {
                    byRoom.remove(room);
                }
            }
            bin.add(i);
            byRoom.computeIfAbsent(room - length, key -> new ArrayList<>()).add(bin);
        }
        return packed.stream().map(BatchOrder::toArray).toList();
    }

    private static int[] toArray(List<Integer> indices) {
        return indices.stream().mapToInt(Integer::intValue).toArray();
    }
}
