package io.github.rankine.tornado;

import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task5;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task6;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task7;

/** Kernels by their number of arguments, as TornadoVM has a type for each: added to a graph, or called. */
@SuppressWarnings({"unchecked", "rawtypes"})
final class Tasks {
    private Tasks() {}

    static void add(TaskGraph graph, String id, Object kernel, Object[] a) {
        switch (kernel) {
            case Task5 task -> graph.task(id, task, a[0], a[1], a[2], a[3], a[4]);
            case Task6 task -> graph.task(id, task, a[0], a[1], a[2], a[3], a[4], a[5]);
            case Task7 task -> graph.task(id, task, a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
            default -> throw new IllegalArgumentException("a kernel of " + a.length + " arguments");
        }
    }

    /** Runs a kernel as plain Java, for the thread that {@code a[0]} stands for. */
    static void call(Object kernel, Object[] a) {
        switch (kernel) {
            case Task5 task -> task.apply(a[0], a[1], a[2], a[3], a[4]);
            case Task6 task -> task.apply(a[0], a[1], a[2], a[3], a[4], a[5]);
            case Task7 task -> task.apply(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
            default -> throw new IllegalArgumentException("a kernel of " + a.length + " arguments");
        }
    }
}
