package io.github.rankine.tornado;

import io.github.rankine.engine.RankineException;
import java.util.Map;
import java.util.TreeMap;

/** Hands out ranges of an array of four-byte elements, first fit. */
final class Ranges {
    private final String what;
    private final int capacity;
    private final TreeMap<Integer, Integer> free = new TreeMap<>();

    Ranges(String what, int capacity) {
        this.what = what;
        this.capacity = capacity;
        free.put(0, capacity);
    }

    int capacity() {
        return capacity;
    }

    /** Elements that are not taken. */
    long free() {
        return free.entrySet().stream()
                .mapToLong(e -> e.getValue() - e.getKey())
                .sum();
    }

    int take(long count) {
        for (Map.Entry<Integer, Integer> range : free.entrySet()) {
            int start = range.getKey();
            int end = range.getValue();
            if (end - start >= count) {
                free.remove(start);
                if (start + count < end) {
                    free.put((int) (start + count), end);
                }
                return start;
            }
        }
        throw new RankineException("the device's " + what + " of " + (4L * capacity >> 20) + " MiB are full: "
                + (4L * capacity - 4 * free() >> 20) + " MiB are in use and " + (count * 4 >> 20)
                + " MiB more are needed; raise --device-memory, or see what the run needs with rankine plan");
    }

    void give(int start, long count) {
        if (count == 0) {
            return;
        }
        int first = start;
        int end = (int) (start + count);
        Map.Entry<Integer, Integer> before = free.lowerEntry(start);
        if (before != null && before.getValue() == start) {
            first = before.getKey();
        }
        Integer after = free.remove(end);
        free.put(first, after == null ? end : after);
    }
}
