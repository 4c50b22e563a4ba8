package io.github.rankine.engine.kernels;

import java.lang.reflect.Proxy;

/**
 * Kernels that compute nothing. A pass run with them and with tensors without memory tells what memory the pass would need.
 */
public final class PlanningKernels {
    private PlanningKernels() {}

    public static Kernels create() {
        return (Kernels) Proxy.newProxyInstance(
                Kernels.class.getClassLoader(),
                new Class<?>[] {Kernels.class},
                (proxy, method, arguments) -> method.getReturnType() == double.class ? 0.0 : null);
    }
}
