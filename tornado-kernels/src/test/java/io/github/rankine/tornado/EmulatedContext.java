package io.github.rankine.tornado;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * A thread of a group as plain Java sees it. A group's threads take turns on one thread of Java, each up to the next barrier; arrays of
 * local memory are shared by the order in which they are asked for.
 */
final class EmulatedContext extends KernelContext {
    private static final Object SCOPE;
    private static final MethodHandle NEW;
    private static final MethodHandle RUN;
    private static final MethodHandle YIELD;
    private static final MethodHandle DONE;
    private static final Field LOCAL;
    private static final Field GROUP;
    private static final Field GLOBAL;

    static {
        try {
            Class<?> scope = Class.forName("jdk.internal.vm.ContinuationScope");
            Class<?> continuation = Class.forName("jdk.internal.vm.Continuation");
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            SCOPE = scope.getConstructor(String.class).newInstance("group");
            NEW = lookup.findConstructor(continuation, MethodType.methodType(void.class, scope, Runnable.class))
                    .asType(MethodType.methodType(Object.class, Object.class, Runnable.class));
            RUN = lookup.findVirtual(continuation, "run", MethodType.methodType(void.class))
                    .asType(MethodType.methodType(void.class, Object.class));
            YIELD = lookup.findStatic(continuation, "yield", MethodType.methodType(boolean.class, scope))
                    .asType(MethodType.methodType(boolean.class, Object.class));
            DONE = lookup.findVirtual(continuation, "isDone", MethodType.methodType(boolean.class))
                    .asType(MethodType.methodType(boolean.class, Object.class));
            LOCAL = field("localIdx");
            GROUP = field("groupIdx");
            GLOBAL = field("globalIdx");
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final List<Object> local;
    private int asked;

    private EmulatedContext(List<Object> local) {
        this.local = local;
    }

    /** Runs a kernel for all threads of all groups. */
    static void run(Launch launch, DeviceArrays arrays, IntArray task) {
        int size = Reduction.GROUP;
        List<Object> local = new ArrayList<>();
        EmulatedContext[] threads = new EmulatedContext[size];
        for (int i = 0; i < size; i++) {
            threads[i] = new EmulatedContext(local);
            threads[i].set(LOCAL, i);
        }
        for (int group = 0; group < launch.groups(); group++) {
            local.clear();
            List<Object> running = new ArrayList<>();
            for (int i = 0; i < size; i++) {
                EmulatedContext thread = threads[i];
                thread.asked = 0;
                thread.set(GROUP, group);
                thread.set(GLOBAL, group * size + i);
                Object[] arguments = launch.arguments(thread, arrays.state(), arrays.layout(), task);
                running.add(started(() -> Tasks.call(launch.kernel(), arguments)));
            }
            while (!running.isEmpty()) {
                running.removeIf(EmulatedContext::runToBarrier);
            }
        }
    }

    private static Object started(Runnable thread) {
        try {
            return NEW.invokeExact(SCOPE, thread);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** Whether it came to its end. */
    private static boolean runToBarrier(Object thread) {
        try {
            RUN.invokeExact(thread);
            return (boolean) DONE.invokeExact(thread);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private void set(Field field, int value) {
        try {
            field.set(this, value);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Field field(String name) throws ReflectiveOperationException {
        Field field = KernelContext.class.getField(name);
        field.setAccessible(true);
        return field;
    }

    @Override
    public void localBarrier() {
        try {
            boolean unused = (boolean) YIELD.invokeExact(SCOPE);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    @SuppressWarnings("unchecked")
    private <T> T shared(Supplier<T> fresh) {
        if (asked == local.size()) {
            local.add(fresh.get());
        }
        return (T) local.get(asked++);
    }

    @Override
    public float[] allocateFloatLocalArray(int size) {
        return shared(() -> new float[size]);
    }

    @Override
    public double[] allocateDoubleLocalArray(int size) {
        return shared(() -> new double[size]);
    }
}
