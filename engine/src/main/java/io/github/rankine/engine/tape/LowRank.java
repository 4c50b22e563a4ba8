package io.github.rankine.engine.tape;

/**
 * A low-rank update of a linear layer: {@code scaling · dropout(x) · Aᵀ · Bᵀ} (Hu et al. 2021).
 *
 * @param a       {@code [r, in]}
 * @param b       {@code [out, r]}
 * @param scaling α/r or α/√r
 * @param dropout probability; has no effect on a tape without dropout
 * @param seed    of this layer's dropout in this step
 */
public record LowRank(Parameter a, Parameter b, float scaling, float dropout, long seed) {
    boolean isTrainable() {
        return a.isTrainable() || b.isTrainable();
    }
}
