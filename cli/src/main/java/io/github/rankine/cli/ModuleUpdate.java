package io.github.rankine.cli;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.reference.lowrank.Decomposition;
import io.github.rankine.reference.lowrank.FullSvd;
import io.github.rankine.reference.lowrank.LowRank;
import io.github.rankine.reference.lowrank.Spectrum;
import java.lang.foreign.Arena;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * What one module's update looks like.
 *
 * @param name          the module's
 * @param spectrum      of the update, {@code [out, in]}
 * @param rank          what an adapter allots to it; empty for the update of a full fine-tune
 * @param amplification {@code ‖ΔW‖ / ‖UᵀWV‖}; empty without a base
 * @param intruders     intruder dimensions among the changed weight's first singular vectors; empty where nobody asked
 */
record ModuleUpdate(
        String name, Spectrum spectrum, OptionalInt rank, OptionalDouble amplification, OptionalInt intruders) {
    /** The share of an update's energy that counts as all of it. */
    static final double NEARLY_ALL = 0.99;

    /** Up to this share of its rank a module wastes the rest. */
    private static final double WASTE = 0.5;

    /** From this share of its rank on, by the effective rank, a module could use more. */
    private static final double SHORT = 0.85;

    /** Singular vectors of the changed weight that are looked at for intruders. */
    static final int INTRUDERS_AMONG = 10;

    /** The cosine from which on a vector of the base is a counterpart. */
    static final double COUNTERPART = 0.6;

    /** How a module's rank fits its update. */
    enum Fit {
        WASTES,
        FITS,
        SHORT
    }

    /** Whether the allotted rank fits; it does where none is allotted. */
    Fit fit() {
        if (rank.isEmpty()) {
            return Fit.FITS;
        }
        int used = spectrum.rankFor(NEARLY_ALL).orElse(rank.getAsInt());
        int most = Math.min(rank.getAsInt(), Math.min(spectrum.rows(), spectrum.cols()));
        if (used <= WASTE * rank.getAsInt()) {
            return Fit.WASTES;
        }
        boolean couldGrow = most < Math.min(spectrum.rows(), spectrum.cols());
        return couldGrow && spectrum.effectiveRank().orElse(0) >= SHORT * most ? Fit.SHORT : Fit.FITS;
    }

    /**
     * How many intruders there are among the first singular vectors of a changed weight.
     *
     * @param transposed whether both are stored {@code [in, out]}
     */
    static OptionalInt intruders(String name, Weight before, Weight after, boolean transposed, Kernels kernels) {
        try (Arena arena = Arena.ofShared()) {
            Decomposition all = FullSvd.of(name, before.toTensor(arena));
            Decomposition first = LowRank.decompose(name, after.toTensor(arena), INTRUDERS_AMONG, kernels)
                    .truncated(INTRUDERS_AMONG);
            return OptionalInt.of(
                    transposed
                            ? LowRank.intruders(all.transposed(), first.transposed(), COUNTERPART)
                            : LowRank.intruders(all, first, COUNTERPART));
        }
    }
}
