package io.github.rankine.engine.kernels;

import static io.github.rankine.engine.kernels.MicroKernel.FEW;
import static io.github.rankine.engine.kernels.MicroKernel.LANES;
import static io.github.rankine.engine.kernels.MicroKernel.MR;
import static io.github.rankine.engine.kernels.MicroKernel.NR;
import static io.github.rankine.engine.kernels.MicroKernel.SPECIES;
import static io.github.rankine.engine.kernels.MicroKernel.STEPS;

import java.lang.invoke.VarHandle;
import jdk.incubator.vector.FloatVector;

/**
 * The innermost product of {@link Gemm}: a tile of {@code c} in registers, fed by one stream of {@code a} and one of {@code b}.
 *
 * <p>Both operands are packed in the order in which they are read: for each step of the inner dimension GROUP elements of {@code a} and NR
 * of {@code b}. That is worth a transposition of {@code a}: two streams are prefetched where a stream for each row is not.
 */
final class PanelKernel {
    /** Rows of {@code a} that are packed together: a tile's, or, of tiles of four rows, as many as a vector is long. */
    static final int GROUP = MR == 4 ? Math.max(MR, Math.min(LANES, 8)) : MR;

    private PanelKernel() {}

    /** Elements from one group's start to the next one's: there is room for the whole vector that packing writes last. */
    static int groupSize(int depth) {
        return depth * GROUP + LANES;
    }

    /** {@code c[rows, NR] += a[rows, depth] · b[depth, NR]} for a group's rows, rounded up to whole tiles; {@code c}'s rows lie NR apart. */
    static void multiply(float[] a, int ao, int rows, float[] b, int bo, int depth, float[] c, int co) {
        if (rows > FEW) {
            int whole = depth & -STEPS;
            if (MR == 12) {
                tile12(a, ao, b, bo, whole, c, co);
            } else {
                tile6(a, ao, b, bo, whole, c, co);
            }
            for (int k = whole; k < depth; k++) {
                MicroKernel.addStep(a, ao + k * GROUP, 1, rows, b, bo + k * NR, c, co, NR);
            }
            return;
        }
        for (int row = 0; row < rows; row += 4) {
            tile4(a, ao + row, b, bo, depth, c, co + row * NR);
        }
    }

    private static void tile4(float[] a, int ao, float[] b, int bo, int depth, float[] c, int co) {
        FloatVector c00 = FloatVector.fromArray(SPECIES, c, co);
        FloatVector c01 = FloatVector.fromArray(SPECIES, c, co + LANES);
        FloatVector c10 = FloatVector.fromArray(SPECIES, c, co + NR);
        FloatVector c11 = FloatVector.fromArray(SPECIES, c, co + NR + LANES);
        FloatVector c20 = FloatVector.fromArray(SPECIES, c, co + 2 * NR);
        FloatVector c21 = FloatVector.fromArray(SPECIES, c, co + 2 * NR + LANES);
        FloatVector c30 = FloatVector.fromArray(SPECIES, c, co + 3 * NR);
        FloatVector c31 = FloatVector.fromArray(SPECIES, c, co + 3 * NR + LANES);
        for (int k = 0; k < depth; k++) {
            FloatVector b0 = FloatVector.fromArray(SPECIES, b, bo + k * NR);
            FloatVector b1 = FloatVector.fromArray(SPECIES, b, bo + k * NR + LANES);
            FloatVector x = FloatVector.broadcast(SPECIES, a[ao + k * GROUP]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            x = FloatVector.broadcast(SPECIES, a[ao + k * GROUP + 1]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            x = FloatVector.broadcast(SPECIES, a[ao + k * GROUP + 2]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            x = FloatVector.broadcast(SPECIES, a[ao + k * GROUP + 3]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
        }
        c00.intoArray(c, co);
        c01.intoArray(c, co + LANES);
        c10.intoArray(c, co + NR);
        c11.intoArray(c, co + NR + LANES);
        c20.intoArray(c, co + 2 * NR);
        c21.intoArray(c, co + 2 * NR + LANES);
        c30.intoArray(c, co + 3 * NR);
        c31.intoArray(c, co + 3 * NR + LANES);
    }

    /** With a {@code depth} in fours, and fences as {@link MicroKernel} has them. */
    private static void tile6(float[] a, int ao, float[] b, int bo, int depth, float[] c, int co) {
        FloatVector c00 = FloatVector.fromArray(SPECIES, c, co);
        FloatVector c01 = FloatVector.fromArray(SPECIES, c, co + LANES);
        FloatVector c10 = FloatVector.fromArray(SPECIES, c, co + NR);
        FloatVector c11 = FloatVector.fromArray(SPECIES, c, co + NR + LANES);
        FloatVector c20 = FloatVector.fromArray(SPECIES, c, co + 2 * NR);
        FloatVector c21 = FloatVector.fromArray(SPECIES, c, co + 2 * NR + LANES);
        FloatVector c30 = FloatVector.fromArray(SPECIES, c, co + 3 * NR);
        FloatVector c31 = FloatVector.fromArray(SPECIES, c, co + 3 * NR + LANES);
        FloatVector c40 = FloatVector.fromArray(SPECIES, c, co + 4 * NR);
        FloatVector c41 = FloatVector.fromArray(SPECIES, c, co + 4 * NR + LANES);
        FloatVector c50 = FloatVector.fromArray(SPECIES, c, co + 5 * NR);
        FloatVector c51 = FloatVector.fromArray(SPECIES, c, co + 5 * NR + LANES);
        for (int i = ao, j = bo; j < bo + depth * NR; i += 4 * GROUP, j += 4 * NR) {
            FloatVector b0 = FloatVector.fromArray(SPECIES, b, j);
            FloatVector b1 = FloatVector.fromArray(SPECIES, b, j + LANES);
            VarHandle.acquireFence();
            FloatVector x = FloatVector.broadcast(SPECIES, a[i]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 1]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 2]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 3]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 4]);
            c40 = x.fma(b0, c40);
            c41 = x.fma(b1, c41);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 5]);
            c50 = x.fma(b0, c50);
            c51 = x.fma(b1, c51);
            b0 = FloatVector.fromArray(SPECIES, b, j + NR);
            b1 = FloatVector.fromArray(SPECIES, b, j + NR + LANES);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + GROUP]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + GROUP + 1]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + GROUP + 2]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + GROUP + 3]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + GROUP + 4]);
            c40 = x.fma(b0, c40);
            c41 = x.fma(b1, c41);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + GROUP + 5]);
            c50 = x.fma(b0, c50);
            c51 = x.fma(b1, c51);
            b0 = FloatVector.fromArray(SPECIES, b, j + 2 * NR);
            b1 = FloatVector.fromArray(SPECIES, b, j + 2 * NR + LANES);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 2 * GROUP]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 2 * GROUP + 1]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 2 * GROUP + 2]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 2 * GROUP + 3]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 2 * GROUP + 4]);
            c40 = x.fma(b0, c40);
            c41 = x.fma(b1, c41);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 2 * GROUP + 5]);
            c50 = x.fma(b0, c50);
            c51 = x.fma(b1, c51);
            b0 = FloatVector.fromArray(SPECIES, b, j + 3 * NR);
            b1 = FloatVector.fromArray(SPECIES, b, j + 3 * NR + LANES);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 3 * GROUP]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 3 * GROUP + 1]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 3 * GROUP + 2]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 3 * GROUP + 3]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 3 * GROUP + 4]);
            c40 = x.fma(b0, c40);
            c41 = x.fma(b1, c41);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 3 * GROUP + 5]);
            c50 = x.fma(b0, c50);
            c51 = x.fma(b1, c51);
        }
        c00.intoArray(c, co);
        c01.intoArray(c, co + LANES);
        c10.intoArray(c, co + NR);
        c11.intoArray(c, co + NR + LANES);
        c20.intoArray(c, co + 2 * NR);
        c21.intoArray(c, co + 2 * NR + LANES);
        c30.intoArray(c, co + 3 * NR);
        c31.intoArray(c, co + 3 * NR + LANES);
        c40.intoArray(c, co + 4 * NR);
        c41.intoArray(c, co + 4 * NR + LANES);
        c50.intoArray(c, co + 5 * NR);
        c51.intoArray(c, co + 5 * NR + LANES);
    }

    /** With an even {@code depth}. */
    private static void tile12(float[] a, int ao, float[] b, int bo, int depth, float[] c, int co) {
        FloatVector c00 = FloatVector.fromArray(SPECIES, c, co);
        FloatVector c01 = FloatVector.fromArray(SPECIES, c, co + LANES);
        FloatVector c10 = FloatVector.fromArray(SPECIES, c, co + NR);
        FloatVector c11 = FloatVector.fromArray(SPECIES, c, co + NR + LANES);
        FloatVector c20 = FloatVector.fromArray(SPECIES, c, co + 2 * NR);
        FloatVector c21 = FloatVector.fromArray(SPECIES, c, co + 2 * NR + LANES);
        FloatVector c30 = FloatVector.fromArray(SPECIES, c, co + 3 * NR);
        FloatVector c31 = FloatVector.fromArray(SPECIES, c, co + 3 * NR + LANES);
        FloatVector c40 = FloatVector.fromArray(SPECIES, c, co + 4 * NR);
        FloatVector c41 = FloatVector.fromArray(SPECIES, c, co + 4 * NR + LANES);
        FloatVector c50 = FloatVector.fromArray(SPECIES, c, co + 5 * NR);
        FloatVector c51 = FloatVector.fromArray(SPECIES, c, co + 5 * NR + LANES);
        FloatVector c60 = FloatVector.fromArray(SPECIES, c, co + 6 * NR);
        FloatVector c61 = FloatVector.fromArray(SPECIES, c, co + 6 * NR + LANES);
        FloatVector c70 = FloatVector.fromArray(SPECIES, c, co + 7 * NR);
        FloatVector c71 = FloatVector.fromArray(SPECIES, c, co + 7 * NR + LANES);
        FloatVector c80 = FloatVector.fromArray(SPECIES, c, co + 8 * NR);
        FloatVector c81 = FloatVector.fromArray(SPECIES, c, co + 8 * NR + LANES);
        FloatVector c90 = FloatVector.fromArray(SPECIES, c, co + 9 * NR);
        FloatVector c91 = FloatVector.fromArray(SPECIES, c, co + 9 * NR + LANES);
        FloatVector ca0 = FloatVector.fromArray(SPECIES, c, co + 10 * NR);
        FloatVector ca1 = FloatVector.fromArray(SPECIES, c, co + 10 * NR + LANES);
        FloatVector cb0 = FloatVector.fromArray(SPECIES, c, co + 11 * NR);
        FloatVector cb1 = FloatVector.fromArray(SPECIES, c, co + 11 * NR + LANES);
        for (int i = ao, j = bo; j < bo + depth * NR; i += 2 * GROUP, j += 2 * NR) {
            FloatVector b0 = FloatVector.fromArray(SPECIES, b, j);
            FloatVector b1 = FloatVector.fromArray(SPECIES, b, j + LANES);
            FloatVector x = FloatVector.broadcast(SPECIES, a[i]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            x = FloatVector.broadcast(SPECIES, a[i + 1]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            x = FloatVector.broadcast(SPECIES, a[i + 2]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            x = FloatVector.broadcast(SPECIES, a[i + 3]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
            x = FloatVector.broadcast(SPECIES, a[i + 4]);
            c40 = x.fma(b0, c40);
            c41 = x.fma(b1, c41);
            x = FloatVector.broadcast(SPECIES, a[i + 5]);
            c50 = x.fma(b0, c50);
            c51 = x.fma(b1, c51);
            x = FloatVector.broadcast(SPECIES, a[i + 6]);
            c60 = x.fma(b0, c60);
            c61 = x.fma(b1, c61);
            x = FloatVector.broadcast(SPECIES, a[i + 7]);
            c70 = x.fma(b0, c70);
            c71 = x.fma(b1, c71);
            x = FloatVector.broadcast(SPECIES, a[i + 8]);
            c80 = x.fma(b0, c80);
            c81 = x.fma(b1, c81);
            x = FloatVector.broadcast(SPECIES, a[i + 9]);
            c90 = x.fma(b0, c90);
            c91 = x.fma(b1, c91);
            x = FloatVector.broadcast(SPECIES, a[i + 10]);
            ca0 = x.fma(b0, ca0);
            ca1 = x.fma(b1, ca1);
            x = FloatVector.broadcast(SPECIES, a[i + 11]);
            cb0 = x.fma(b0, cb0);
            cb1 = x.fma(b1, cb1);
            b0 = FloatVector.fromArray(SPECIES, b, j + NR);
            b1 = FloatVector.fromArray(SPECIES, b, j + NR + LANES);
            x = FloatVector.broadcast(SPECIES, a[i + GROUP]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            x = FloatVector.broadcast(SPECIES, a[i + GROUP + 1]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            x = FloatVector.broadcast(SPECIES, a[i + GROUP + 2]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            x = FloatVector.broadcast(SPECIES, a[i + GROUP + 3]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
            x = FloatVector.broadcast(SPECIES, a[i + GROUP + 4]);
            c40 = x.fma(b0, c40);
            c41 = x.fma(b1, c41);
            x = FloatVector.broadcast(SPECIES, a[i + GROUP + 5]);
            c50 = x.fma(b0, c50);
            c51 = x.fma(b1, c51);
            x = FloatVector.broadcast(SPECIES, a[i + GROUP + 6]);
            c60 = x.fma(b0, c60);
            c61 = x.fma(b1, c61);
            x = FloatVector.broadcast(SPECIES, a[i + GROUP + 7]);
            c70 = x.fma(b0, c70);
            c71 = x.fma(b1, c71);
            x = FloatVector.broadcast(SPECIES, a[i + GROUP + 8]);
            c80 = x.fma(b0, c80);
            c81 = x.fma(b1, c81);
            x = FloatVector.broadcast(SPECIES, a[i + GROUP + 9]);
            c90 = x.fma(b0, c90);
            c91 = x.fma(b1, c91);
            x = FloatVector.broadcast(SPECIES, a[i + GROUP + 10]);
            ca0 = x.fma(b0, ca0);
            ca1 = x.fma(b1, ca1);
            x = FloatVector.broadcast(SPECIES, a[i + GROUP + 11]);
            cb0 = x.fma(b0, cb0);
            cb1 = x.fma(b1, cb1);
        }
        c00.intoArray(c, co);
        c01.intoArray(c, co + LANES);
        c10.intoArray(c, co + NR);
        c11.intoArray(c, co + NR + LANES);
        c20.intoArray(c, co + 2 * NR);
        c21.intoArray(c, co + 2 * NR + LANES);
        c30.intoArray(c, co + 3 * NR);
        c31.intoArray(c, co + 3 * NR + LANES);
        c40.intoArray(c, co + 4 * NR);
        c41.intoArray(c, co + 4 * NR + LANES);
        c50.intoArray(c, co + 5 * NR);
        c51.intoArray(c, co + 5 * NR + LANES);
        c60.intoArray(c, co + 6 * NR);
        c61.intoArray(c, co + 6 * NR + LANES);
        c70.intoArray(c, co + 7 * NR);
        c71.intoArray(c, co + 7 * NR + LANES);
        c80.intoArray(c, co + 8 * NR);
        c81.intoArray(c, co + 8 * NR + LANES);
        c90.intoArray(c, co + 9 * NR);
        c91.intoArray(c, co + 9 * NR + LANES);
        ca0.intoArray(c, co + 10 * NR);
        ca1.intoArray(c, co + 10 * NR + LANES);
        cb0.intoArray(c, co + 11 * NR);
        cb1.intoArray(c, co + 11 * NR + LANES);
    }
}
