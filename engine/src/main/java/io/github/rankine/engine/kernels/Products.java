package io.github.rankine.engine.kernels;

import io.github.rankine.engine.tensor.Tensor;
import java.util.List;

/** Chooses the way to compute a product: by its shape alone, so that a result does not depend on the machine. */
final class Products {
    private final Workers workers;
    private final Gemm gemm;
    private final MatVec matVec;
    private final ThinProduct thinProduct;
    private final ThinGradient thinGradient;

    Products(Workers workers) {
        this.workers = workers;
        gemm = new Gemm(workers);
        matVec = new MatVec(workers);
        thinProduct = new ThinProduct(workers);
        thinGradient = new ThinGradient(workers);
    }

    void nt(Tensor a, Operand b, Tensor c, float alpha, boolean accumulate) {
        if (isTrivial(a.cols(), c, accumulate)) {
            return;
        }
        if (a.rows() <= Kernels.FEW_ROWS) {
            matVec.multiplyTransposed(a, List.of(b), List.of(c), alpha, accumulate);
        } else if (c.cols() <= ThinProduct.MAX_COLUMNS) {
            thinProduct.multiply(a, b, true, c, alpha, accumulate);
        } else {
            gemm.multiply(a, false, b, true, c, alpha, accumulate);
        }
    }

    /** {@code c (+)= a · bᵀ + u · vᵀ}. */
    void nt(Tensor a, Operand b, Tensor u, Operand v, Tensor c, boolean accumulate) {
        if (isOnePass(a, u, c)) {
            gemm.multiply(a, b, true, u, v, c, accumulate);
        } else {
            nt(a, b, c, 1, accumulate);
            nt(u, v, c, 1, true);
        }
    }

    /** {@code c (+)= a · b + u · v}. */
    void nn(Tensor a, Operand b, Tensor u, Operand v, Tensor c, boolean accumulate) {
        if (isOnePass(a, u, c)) {
            gemm.multiply(a, b, false, u, v, c, accumulate);
        } else {
            nn(a, b, c, 1, accumulate);
            nn(u, v, c, 1, true);
        }
    }

    /** Whether a product and one of low rank are one blocked product. */
    private static boolean isOnePass(Tensor a, Tensor u, Tensor c) {
        return a.rows() > Kernels.FEW_ROWS
                && c.cols() > ThinProduct.MAX_COLUMNS
                && a.cols() > 0
                && u.cols() > 0
                && u.cols() <= Gemm.MAX_EXTRA;
    }

    /** Several of few rows, none of them empty, at once. */
    void nt(Tensor a, List<Operand> bs, List<Tensor> cs) {
        matVec.multiplyTransposed(a, bs, cs, 1, false);
    }

    void nn(Tensor a, Operand b, Tensor c, float alpha, boolean accumulate) {
        if (isTrivial(a.cols(), c, accumulate)) {
            return;
        }
        if (a.rows() <= Kernels.FEW_ROWS) {
            matVec.multiply(a, b, c, alpha, accumulate);
        } else if (c.cols() <= ThinProduct.MAX_COLUMNS) {
            thinProduct.multiply(a, b, false, c, alpha, accumulate);
        } else {
            gemm.multiply(a, false, b, false, c, alpha, accumulate);
        }
    }

    void tn(Tensor a, Tensor b, Tensor c, float alpha, boolean accumulate) {
        if (isTrivial(a.rows(), c, accumulate)) {
            return;
        }
        if (Math.min(a.cols(), b.cols()) <= ThinGradient.MAX_COLUMNS) {
            thinGradient.multiply(a, b, c, alpha, accumulate);
        } else {
            gemm.multiply(a, true, Operand.of(b), false, c, alpha, accumulate);
        }
    }

    /** True when there is nothing to write, or, with no inner dimension, nothing but zeros. */
    private boolean isTrivial(long inner, Tensor c, boolean accumulate) {
        if (c.size() == 0) {
            return true;
        }
        if (inner == 0 && !accumulate) {
            Pieces.rows(workers, c.rows(), c.cols(), (first, end, worker) -> {
                for (int row = first; row < end; row++) {
                    c.segment().asSlice(c.offset(row, 0), 4 * c.cols()).fill((byte) 0);
                }
            });
        }
        return inner == 0;
    }
}
