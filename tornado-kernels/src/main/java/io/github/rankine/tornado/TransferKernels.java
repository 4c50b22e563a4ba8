package io.github.rankine.tornado;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.DoubleArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** What moves numbers between the arrays of a run and those that travel; a header has the place in the former and the count. */
final class TransferKernels {
    private TransferKernels() {}

    /** Goes on to the next section. */
    static void advance(KernelContext context, IntArray state, IntArray layout) {
        if (context.globalIdx == 0) {
            // Before the first upload the memory holds anything.
            int section = state.get(0) & (DeviceArrays.LAYOUT - 1);
            state.set(1, layout.get(section));
            state.set(0, section + 1);
        }
    }

    /** Reads and, for the compiler's eyes, writes an array, so that the graph allocates it. */
    static void touch(KernelContext context, IntArray state, FloatArray array) {
        if (context.globalIdx == 0) {
            float value = array.get(0);
            if (state.get(0) == Integer.MIN_VALUE) {
                array.set(0, value + 1f);
            }
        }
    }

    static void touchInts(KernelContext context, IntArray state, IntArray array) {
        if (context.globalIdx == 0) {
            int value = array.get(0);
            if (state.get(0) == Integer.MIN_VALUE) {
                array.set(0, value + 1);
            }
        }
    }

    static void touchDoubles(KernelContext context, IntArray state, DoubleArray array) {
        if (context.globalIdx == 0) {
            double value = array.get(0);
            if (state.get(0) == Integer.MIN_VALUE) {
                array.set(0, value + 1);
            }
        }
    }

    static void intsIn(KernelContext context, IntArray header, IntArray from, IntArray to) {
        int i = context.globalIdx;
        if (i < header.get(1)) {
            to.set(header.get(0) + i, from.get(i));
        }
    }

    static void floatsIn(KernelContext context, IntArray header, FloatArray from, FloatArray to) {
        int i = context.globalIdx;
        if (i < header.get(1)) {
            to.set(header.get(0) + i, from.get(i));
        }
    }

    static void floatsOut(KernelContext context, IntArray header, FloatArray from, FloatArray to) {
        int i = context.globalIdx;
        if (i < header.get(1)) {
            to.set(i, from.get(header.get(0) + i));
        }
    }

    static void doublesOut(KernelContext context, IntArray header, DoubleArray from, DoubleArray to) {
        int i = context.globalIdx;
        if (i < header.get(1)) {
            to.set(i, from.get(header.get(0) + i));
        }
    }
}
