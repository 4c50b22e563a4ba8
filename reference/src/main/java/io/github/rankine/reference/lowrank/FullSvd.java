package io.github.rankine.reference.lowrank;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.Tensor;
import org.apache.commons.math3.linear.Array2DRowRealMatrix;
import org.apache.commons.math3.linear.SingularValueDecomposition;

/**
 * All singular values and vectors of a matrix, in double precision. Where one side is longer, a thin QR leaves commons-math3 a square of the
 * shorter side: {@code A = Q · R} and {@code R = U · Σ · Vᵀ} give {@code A = (Q · U) · Σ · Vᵀ} (Chan 1982).
 */
public final class FullSvd {
    private FullSvd() {}

    /**
     * The decomposition of a matrix. The time is cubic in the shorter side.
     *
     * @param name what the matrix is, for messages
     * @throws RankineException where an element is not a finite number
     */
    public static Decomposition of(String name, Tensor matrix) {
        double[][] rows = rows(name, matrix);
        return rows.length < rows[0].length ? tall(rows).transposed() : tall(Vectors.transpose(rows));
    }

    /**
     * The elements as doubles, by rows.
     *
     * @throws RankineException naming the first one that is not finite
     */
    static double[][] rows(String name, Tensor matrix) {
        return rows(name, matrix, 0, Math.toIntExact(matrix.rows()));
    }

    /** The same for {@code count} rows from {@code first}. */
    static double[][] rows(String name, Tensor matrix, long first, int count) {
        double[][] rows = new double[count][Math.toIntExact(matrix.cols())];
        for (int i = 0; i < rows.length; i++) {
            for (int j = 0; j < rows[i].length; j++) {
                rows[i][j] = matrix.get(first + i, j);
                if (!Double.isFinite(rows[i][j])) {
                    throw new RankineException(name + ": element [" + (first + i) + ", " + j + "] is " + rows[i][j]
                            + ": what is not finite has no singular values; was the training run unstable?");
                }
            }
        }
        return rows;
    }

    /** Of a matrix that is at least as long as it is wide, given by its columns, which are used up. */
    static Decomposition tall(double[][] columns) {
        int rows = columns[0].length;
        int cols = columns.length;
        double squaredNorm = 0;
        for (double[] column : columns) {
            squaredNorm += Vectors.dot(column, column);
        }
        if (squaredNorm == 0) {
            return new Decomposition(
                    rows, cols, new double[cols], new double[cols][rows], new double[cols][cols], 0, 0);
        }
        if (rows == cols) {
            SingularValueDecomposition svd = decompose(Vectors.transpose(columns));
            return new Decomposition(
                    rows,
                    cols,
                    svd.getSingularValues(),
                    svd.getUT().getData(),
                    svd.getVT().getData(),
                    squaredNorm,
                    0);
        }
        ThinQr qr = ThinQr.of(columns);
        SingularValueDecomposition svd = decompose(qr.r());
        double[][] inner = svd.getUT().getData();
        double[][] left = new double[cols][];
        for (int i = 0; i < cols; i++) {
            left[i] = Vectors.combine(inner[i], qr.q());
        }
        return new Decomposition(
                rows, cols, svd.getSingularValues(), left, svd.getVT().getData(), squaredNorm, 0);
    }

    private static SingularValueDecomposition decompose(double[][] rows) {
        return new SingularValueDecomposition(new Array2DRowRealMatrix(rows, false));
    }
}
