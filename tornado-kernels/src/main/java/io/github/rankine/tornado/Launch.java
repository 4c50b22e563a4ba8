package io.github.rankine.tornado;

import java.util.Arrays;
import java.util.List;

/**
 * One kernel with its operands.
 *
 * @param name       of the kernel
 * @param kernel     the static method, as one of TornadoVM's {@code TaskN}: its arguments are the context, state and layout, {@code arrays}, and
 *                   its number in its section; in an array, for a number itself would be a constant of the code, and tasks of one
 *                   kernel would be compiled one by one
 * @param arrays     what it computes on
 * @param parameters numbers that it reads from the layout
 * @param groups     of {@link Reduction#GROUP} threads each
 */
record Launch(String name, Object kernel, List<Object> arrays, int[] parameters, int groups) {
    /** All arguments, in the order of the method. */
    Object[] arguments(Object context, Object state, Object layout, Object task) {
        Object[] all = new Object[arrays.size() + 4];
        all[0] = context;
        all[1] = state;
        all[2] = layout;
        for (int i = 0; i < arrays.size(); i++) {
            all[i + 3] = arrays.get(i);
        }
        all[all.length - 1] = task;
        return all;
    }

    /** The names of a section's kernels: sections of the same kernels are the same graph, whatever their sizes. */
    static String signature(List<Launch> section) {
        return String.join(" ", section.stream().map(Launch::name).toList());
    }

    @Override
    public String toString() {
        return name + Arrays.toString(parameters);
    }
}
