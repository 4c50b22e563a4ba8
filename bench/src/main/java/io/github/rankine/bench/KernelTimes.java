package io.github.rankine.bench;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** Adds up the time that each kernel takes, by the shapes it works on. */
final class KernelTimes {
    /** Among the methods that need not be overridden; the others are about memory. */
    private static final Set<String> COMPUTING =
            Set.of("copy", "clear", "matmulNT", "matmulNN", "store", "cachedAttention");

    /** Operands of a list that are named one by one. */
    private static final int NAMED = 4;

    private final Map<String, Long> nanos = new HashMap<>();

    /** {@code kernels}, timed from here on. */
    Kernels time(Kernels kernels) {
        return (Kernels) Proxy.newProxyInstance(
                Kernels.class.getClassLoader(), new Class<?>[] {Kernels.class}, (_, method, arguments) -> {
                    long start = System.nanoTime();
                    try {
                        Object result = method.invoke(kernels, arguments);
                        // What runs later than it is called is timed here too.
                        kernels.finish();
                        return result;
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    } finally {
                        if (arguments != null && !method.isDefault() || COMPUTING.contains(method.getName())) {
                            nanos.merge(key(method, arguments), System.nanoTime() - start, Long::sum);
                        }
                    }
                });
    }

    private static String key(Method method, Object... arguments) {
        if (arguments == null) {
            return method.getName();
        }
        return method.getName() + " "
                + Arrays.stream(arguments)
                        .limit(method.getName().startsWith("matmul") ? 5 : 1)
                        .map(KernelTimes::shape)
                        .filter(shape -> !shape.isEmpty())
                        .collect(Collectors.joining(" "));
    }

    private static String shape(Object operand) {
        return switch (operand) {
            case Tensor tensor -> tensor.rows() + "x" + tensor.cols();
            case Weight weight -> weight.rows() + "x" + weight.cols();
            case List<?> many when many.size() > NAMED -> many.size() + " operands";
            case List<?> several -> several.stream().map(KernelTimes::shape).collect(Collectors.joining("+"));
            default -> "";
        };
    }

    /** Forgets what was measured, as after the warm-up. */
    void reset() {
        nanos.clear();
    }

    /** Seconds for each of {@code steps} by kernel, the most first. */
    void put(ObjectNode node, int steps) {
        nanos.entrySet().stream()
                .filter(entry -> entry.getValue() > 0)
                .sorted(Map.Entry.<String, Long>comparingByValue().reversed())
                .forEach(entry -> node.put(entry.getKey(), entry.getValue() * 1e-9 / steps));
    }
}
