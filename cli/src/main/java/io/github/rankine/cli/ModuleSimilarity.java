package io.github.rankine.cli;

/**
 * What two adapters' updates of one module have in common.
 *
 * @param name the module's
 * @param phi  φ(i, j) by rows, from i = j = 1
 */
record ModuleSimilarity(String name, double[][] phi) {
    /** φ over all directions of both. */
    double ofAll() {
        return phi[phi.length - 1][phi[0].length - 1];
    }
}
