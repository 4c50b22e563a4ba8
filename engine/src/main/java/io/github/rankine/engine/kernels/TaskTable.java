package io.github.rankine.engine.kernels;

import java.util.Arrays;

/** Numbers the tasks of several items one after another: which item, and which of its tasks, a number means. */
final class TaskTable {
    private int[] ends = new int[16];
    private int items;

    void clear() {
        items = 0;
    }

    /** Adds an item with that many tasks. */
    void add(int tasks) {
        if (items == ends.length) {
            ends = Arrays.copyOf(ends, 2 * items);
        }
        ends[items] = total() + tasks;
        items++;
    }

    int total() {
        return items == 0 ? 0 : ends[items - 1];
    }

    /** One more than the last task of an item. */
    int end(int item) {
        return ends[item];
    }

    /** Tasks of an item. */
    int count(int item) {
        return item == 0 ? ends[0] : ends[item] - ends[item - 1];
    }

    int item(int task) {
        int low = 0;
        int high = items - 1;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (ends[middle] > task) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return low;
    }

    /** The number of {@code task} among its item's own. */
    int local(int item, int task) {
        return item == 0 ? task : task - ends[item - 1];
    }
}
