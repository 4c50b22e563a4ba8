package io.github.rankine.tornado;

import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task10;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task11;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task12;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task13;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task5;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task6;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task7;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task8;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task9;

/** Kernels by their number of arguments, as TornadoVM has a type for each: added to a graph, or called. */
@SuppressWarnings({"unchecked", "rawtypes"})
final class Tasks {
    private Tasks() {}

    static void add(TaskGraph graph, String id, Object kernel, Object[] a) {
        switch (kernel) {
            case Task5 task -> graph.task(id, task, a[0], a[1], a[2], a[3], a[4]);
            case Task6 task -> graph.task(id, task, a[0], a[1], a[2], a[3], a[4], a[5]);
            case Task7 task -> graph.task(id, task, a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
            case Task8 task -> graph.task(id, task, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
            case Task9 task -> graph.task(id, task, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8]);
            case Task10 task -> graph.task(id, task, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9]);
            case Task11 task -> graph.task(id, task, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10]);
            case Task12 task ->
                graph.task(id, task, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11]);
            case Task13 task ->
                graph.task(id, task, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12]);
            default -> throw new IllegalArgumentException("a kernel of " + a.length + " arguments");
        }
    }

    /** Runs a kernel as plain Java, for the thread that {@code a[0]} stands for. */
    static void call(Object kernel, Object[] a) {
        switch (kernel) {
            case Task5 task -> task.apply(a[0], a[1], a[2], a[3], a[4]);
            case Task6 task -> task.apply(a[0], a[1], a[2], a[3], a[4], a[5]);
            case Task7 task -> task.apply(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
            case Task8 task -> task.apply(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
            case Task9 task -> task.apply(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8]);
            case Task10 task -> task.apply(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9]);
            case Task11 task -> task.apply(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10]);
            case Task12 task -> task.apply(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11]);
            case Task13 task ->
                task.apply(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12]);
            default -> throw new IllegalArgumentException("a kernel of " + a.length + " arguments");
        }
    }
}
