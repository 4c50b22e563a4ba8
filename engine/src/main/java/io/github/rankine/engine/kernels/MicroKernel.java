package io.github.rankine.engine.kernels;

import java.lang.invoke.VarHandle;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The innermost product: a tile of {@code c} in registers, fed by a few rows of {@code a} and one panel of {@code b}.
 *
 * <p>Operands are heap arrays, for C2 inlines their accesses cheaply and the whole tile must fit its inlining budget; and
 * {@code a}'s rows lie {@link #LDA} apart, a constant, so that a tile needs one base register instead of one a row.
 * The tile belongs to the vector width: with 512 bits there are 32 registers, and 12 × 2 accumulators leave room for the
 * operands; with 256 there are 16, and 6 × 2 do if nothing is loaded before it is needed ({@link #tile6}). A loop does several steps of
 * the inner dimension: its indices cost fewer instructions then, which counts where a core is shared with another thread. More of the
 * largest tile's steps spill.
 */
final class MicroKernel {
    static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    static final int LANES = SPECIES.length();
    /** Columns of a tile, and of a panel of {@code b}. */
    static final int NR = 2 * LANES;
    /** Whether a fence between loads is no instruction at all. */
    private static final boolean FREE_FENCES = List.of("amd64", "x86_64").contains(System.getProperty("os.arch"));
    /** Rows of a tile. */
    static final int MR = SPECIES.vectorBitSize() >= 512 ? 12 : SPECIES.vectorBitSize() == 256 && FREE_FENCES ? 6 : 4;
    /** Rows up to which tiles of four rows do: any number where no larger tile has the registers. */
    static final int FEW = MR == 4 ? Integer.MAX_VALUE : (MR - 1) / 4 * 4;
    /** Steps of the inner dimension in one turn of a larger tile's loop. */
    static final int STEPS = MR == 12 ? 2 : 4;
    /** Depth at which products are cut, so that a panel stays in the first-level cache. */
    static final int KC = 256;
    /** Distance of {@code a}'s rows: more than KC, lest all rows fall into the same cache sets. */
    static final int LDA = KC + 16;

    private MicroKernel() {}

    /** Rows rounded up to whole tiles: what arrays that receive or feed tiles must hold. */
    static int paddedRows(int rows) {
        return (rows + MR - 1) / MR * MR;
    }

    static int paddedCols(int cols) {
        return (cols + NR - 1) / NR * NR;
    }

    /**
     * {@code c[rows, NR] = a[rows, depth] · b[depth, NR]}. Rows are rounded up to a tile's, so {@code a} must have that
     * many to read and {@code c} to write.
     */
    static void multiply(
            float[] a, int aOffset, int rows, float[] b, int bOffset, int depth, float[] c, int cOffset, int ldc) {
        int row = 0;
        int whole = depth & -STEPS;
        for (; rows - row > FEW; row += MR) {
            int ao = aOffset + row * LDA;
            int co = cOffset + row * ldc;
            if (MR == 12) {
                tile12(a, ao, b, bOffset, whole, c, co, ldc);
            } else {
                tile6(a, ao, b, bOffset, whole, c, co, ldc);
            }
            for (int k = whole; k < depth; k++) {
                addStep(a, ao + k, LDA, Math.min(MR, rows - row), b, bOffset + k * NR, c, co, ldc);
            }
        }
        for (; row < rows; row += 4) {
            tile4(a, aOffset + row * LDA, b, bOffset, depth, c, cOffset + row * ldc, ldc);
        }
    }

    /** A step that a tile's loop left over: {@code c[rows, NR] += a[rows] · b[NR]}, where {@code a}'s elements lie {@code lda} apart. */
    static void addStep(float[] a, int ao, int lda, int rows, float[] b, int bo, float[] c, int co, int ldc) {
        FloatVector b0 = FloatVector.fromArray(SPECIES, b, bo);
        FloatVector b1 = FloatVector.fromArray(SPECIES, b, bo + LANES);
        for (int row = 0; row < rows; row++) {
            FloatVector x = FloatVector.broadcast(SPECIES, a[ao + row * lda]);
            int to = co + row * ldc;
            x.fma(b0, FloatVector.fromArray(SPECIES, c, to)).intoArray(c, to);
            x.fma(b1, FloatVector.fromArray(SPECIES, c, to + LANES)).intoArray(c, to + LANES);
        }
    }

    private static void tile4(float[] a, int ao, float[] b, int bo, int depth, float[] c, int co, int ldc) {
        FloatVector c00 = FloatVector.zero(SPECIES), c01 = c00, c10 = c00, c11 = c00;
        FloatVector c20 = c00, c21 = c00, c30 = c00, c31 = c00;
        for (int k = 0; k < depth; k++) {
            FloatVector b0 = FloatVector.fromArray(SPECIES, b, bo + k * NR);
            FloatVector b1 = FloatVector.fromArray(SPECIES, b, bo + k * NR + LANES);
            FloatVector x = FloatVector.broadcast(SPECIES, a[ao + k]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            x = FloatVector.broadcast(SPECIES, a[ao + LDA + k]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            x = FloatVector.broadcast(SPECIES, a[ao + 2 * LDA + k]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            x = FloatVector.broadcast(SPECIES, a[ao + 3 * LDA + k]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
        }
        c00.intoArray(c, co);
        c01.intoArray(c, co + LANES);
        c10.intoArray(c, co + ldc);
        c11.intoArray(c, co + ldc + LANES);
        c20.intoArray(c, co + 2 * ldc);
        c21.intoArray(c, co + 2 * ldc + LANES);
        c30.intoArray(c, co + 3 * ldc);
        c31.intoArray(c, co + 3 * ldc + LANES);
    }

    /**
     * With a {@code depth} in fours. The fences keep C2 from bringing in the operands of a whole step first, for which 16 registers are
     * too few beside the sums; on x86 they are no instructions.
     */
    private static void tile6(float[] a, int ao, float[] b, int bo, int depth, float[] c, int co, int ldc) {
        FloatVector c00 = FloatVector.zero(SPECIES), c01 = c00, c10 = c00, c11 = c00;
        FloatVector c20 = c00, c21 = c00, c30 = c00, c31 = c00;
        FloatVector c40 = c00, c41 = c00, c50 = c00, c51 = c00;
        for (int i = ao, j = bo; j < bo + depth * NR; i += 4, j += 4 * NR) {
            FloatVector b0 = FloatVector.fromArray(SPECIES, b, j);
            FloatVector b1 = FloatVector.fromArray(SPECIES, b, j + LANES);
            VarHandle.acquireFence();
            FloatVector x = FloatVector.broadcast(SPECIES, a[i]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + LDA]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 2 * LDA]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 3 * LDA]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 4 * LDA]);
            c40 = x.fma(b0, c40);
            c41 = x.fma(b1, c41);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 5 * LDA]);
            c50 = x.fma(b0, c50);
            c51 = x.fma(b1, c51);
            b0 = FloatVector.fromArray(SPECIES, b, j + NR);
            b1 = FloatVector.fromArray(SPECIES, b, j + NR + LANES);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 1]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + LDA + 1]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 2 * LDA + 1]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 3 * LDA + 1]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 4 * LDA + 1]);
            c40 = x.fma(b0, c40);
            c41 = x.fma(b1, c41);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 5 * LDA + 1]);
            c50 = x.fma(b0, c50);
            c51 = x.fma(b1, c51);
            b0 = FloatVector.fromArray(SPECIES, b, j + 2 * NR);
            b1 = FloatVector.fromArray(SPECIES, b, j + 2 * NR + LANES);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 2]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + LDA + 2]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 2 * LDA + 2]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 3 * LDA + 2]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 4 * LDA + 2]);
            c40 = x.fma(b0, c40);
            c41 = x.fma(b1, c41);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 5 * LDA + 2]);
            c50 = x.fma(b0, c50);
            c51 = x.fma(b1, c51);
            b0 = FloatVector.fromArray(SPECIES, b, j + 3 * NR);
            b1 = FloatVector.fromArray(SPECIES, b, j + 3 * NR + LANES);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 3]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + LDA + 3]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 2 * LDA + 3]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 3 * LDA + 3]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 4 * LDA + 3]);
            c40 = x.fma(b0, c40);
            c41 = x.fma(b1, c41);
            VarHandle.acquireFence();
            x = FloatVector.broadcast(SPECIES, a[i + 5 * LDA + 3]);
            c50 = x.fma(b0, c50);
            c51 = x.fma(b1, c51);
        }
        c00.intoArray(c, co);
        c01.intoArray(c, co + LANES);
        c10.intoArray(c, co + ldc);
        c11.intoArray(c, co + ldc + LANES);
        c20.intoArray(c, co + 2 * ldc);
        c21.intoArray(c, co + 2 * ldc + LANES);
        c30.intoArray(c, co + 3 * ldc);
        c31.intoArray(c, co + 3 * ldc + LANES);
        c40.intoArray(c, co + 4 * ldc);
        c41.intoArray(c, co + 4 * ldc + LANES);
        c50.intoArray(c, co + 5 * ldc);
        c51.intoArray(c, co + 5 * ldc + LANES);
    }

    /** With an even {@code depth}. */
    private static void tile12(float[] a, int ao, float[] b, int bo, int depth, float[] c, int co, int ldc) {
        FloatVector c00 = FloatVector.zero(SPECIES), c01 = c00, c10 = c00, c11 = c00;
        FloatVector c20 = c00, c21 = c00, c30 = c00, c31 = c00;
        FloatVector c40 = c00, c41 = c00, c50 = c00, c51 = c00;
        FloatVector c60 = c00, c61 = c00, c70 = c00, c71 = c00;
        FloatVector c80 = c00, c81 = c00, c90 = c00, c91 = c00;
        FloatVector ca0 = c00, ca1 = c00, cb0 = c00, cb1 = c00;
        for (int i = ao, j = bo; j < bo + depth * NR; i += 2, j += 2 * NR) {
            FloatVector b0 = FloatVector.fromArray(SPECIES, b, j);
            FloatVector b1 = FloatVector.fromArray(SPECIES, b, j + LANES);
            FloatVector x = FloatVector.broadcast(SPECIES, a[i]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            x = FloatVector.broadcast(SPECIES, a[i + LDA]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            x = FloatVector.broadcast(SPECIES, a[i + 2 * LDA]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            x = FloatVector.broadcast(SPECIES, a[i + 3 * LDA]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
            x = FloatVector.broadcast(SPECIES, a[i + 4 * LDA]);
            c40 = x.fma(b0, c40);
            c41 = x.fma(b1, c41);
            x = FloatVector.broadcast(SPECIES, a[i + 5 * LDA]);
            c50 = x.fma(b0, c50);
            c51 = x.fma(b1, c51);
            x = FloatVector.broadcast(SPECIES, a[i + 6 * LDA]);
            c60 = x.fma(b0, c60);
            c61 = x.fma(b1, c61);
            x = FloatVector.broadcast(SPECIES, a[i + 7 * LDA]);
            c70 = x.fma(b0, c70);
            c71 = x.fma(b1, c71);
            x = FloatVector.broadcast(SPECIES, a[i + 8 * LDA]);
            c80 = x.fma(b0, c80);
            c81 = x.fma(b1, c81);
            x = FloatVector.broadcast(SPECIES, a[i + 9 * LDA]);
            c90 = x.fma(b0, c90);
            c91 = x.fma(b1, c91);
            x = FloatVector.broadcast(SPECIES, a[i + 10 * LDA]);
            ca0 = x.fma(b0, ca0);
            ca1 = x.fma(b1, ca1);
            x = FloatVector.broadcast(SPECIES, a[i + 11 * LDA]);
            cb0 = x.fma(b0, cb0);
            cb1 = x.fma(b1, cb1);
            b0 = FloatVector.fromArray(SPECIES, b, j + NR);
            b1 = FloatVector.fromArray(SPECIES, b, j + NR + LANES);
            x = FloatVector.broadcast(SPECIES, a[i + 1]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            x = FloatVector.broadcast(SPECIES, a[i + LDA + 1]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            x = FloatVector.broadcast(SPECIES, a[i + 2 * LDA + 1]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            x = FloatVector.broadcast(SPECIES, a[i + 3 * LDA + 1]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
            x = FloatVector.broadcast(SPECIES, a[i + 4 * LDA + 1]);
            c40 = x.fma(b0, c40);
            c41 = x.fma(b1, c41);
            x = FloatVector.broadcast(SPECIES, a[i + 5 * LDA + 1]);
            c50 = x.fma(b0, c50);
            c51 = x.fma(b1, c51);
            x = FloatVector.broadcast(SPECIES, a[i + 6 * LDA + 1]);
            c60 = x.fma(b0, c60);
            c61 = x.fma(b1, c61);
            x = FloatVector.broadcast(SPECIES, a[i + 7 * LDA + 1]);
            c70 = x.fma(b0, c70);
            c71 = x.fma(b1, c71);
            x = FloatVector.broadcast(SPECIES, a[i + 8 * LDA + 1]);
            c80 = x.fma(b0, c80);
            c81 = x.fma(b1, c81);
            x = FloatVector.broadcast(SPECIES, a[i + 9 * LDA + 1]);
            c90 = x.fma(b0, c90);
            c91 = x.fma(b1, c91);
            x = FloatVector.broadcast(SPECIES, a[i + 10 * LDA + 1]);
            ca0 = x.fma(b0, ca0);
            ca1 = x.fma(b1, ca1);
            x = FloatVector.broadcast(SPECIES, a[i + 11 * LDA + 1]);
            cb0 = x.fma(b0, cb0);
            cb1 = x.fma(b1, cb1);
        }
        c00.intoArray(c, co);
        c01.intoArray(c, co + LANES);
        c10.intoArray(c, co + ldc);
        c11.intoArray(c, co + ldc + LANES);
        c20.intoArray(c, co + 2 * ldc);
        c21.intoArray(c, co + 2 * ldc + LANES);
        c30.intoArray(c, co + 3 * ldc);
        c31.intoArray(c, co + 3 * ldc + LANES);
        c40.intoArray(c, co + 4 * ldc);
        c41.intoArray(c, co + 4 * ldc + LANES);
        c50.intoArray(c, co + 5 * ldc);
        c51.intoArray(c, co + 5 * ldc + LANES);
        c60.intoArray(c, co + 6 * ldc);
        c61.intoArray(c, co + 6 * ldc + LANES);
        c70.intoArray(c, co + 7 * ldc);
        c71.intoArray(c, co + 7 * ldc + LANES);
        c80.intoArray(c, co + 8 * ldc);
        c81.intoArray(c, co + 8 * ldc + LANES);
        c90.intoArray(c, co + 9 * ldc);
        c91.intoArray(c, co + 9 * ldc + LANES);
        ca0.intoArray(c, co + 10 * ldc);
        ca1.intoArray(c, co + 10 * ldc + LANES);
        cb0.intoArray(c, co + 11 * ldc);
        cb1.intoArray(c, co + 11 * ldc + LANES);
    }
}
