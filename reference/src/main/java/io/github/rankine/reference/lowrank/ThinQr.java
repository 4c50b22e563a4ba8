package io.github.rankine.reference.lowrank;

/**
 * Thin QR of a matrix given by its columns: modified Gram–Schmidt, done twice, which leaves the columns orthogonal to working precision
 * (Giraud, Langou and Rozložník 2005: "twice is enough").
 *
 * @param q the orthonormal columns; one that depends on those before it is zero
 * @param r {@code [k, k]}, upper triangular, by rows
 */
record ThinQr(double[][] q, double[][] r) {
    /** What is left of a column's norm once it is nothing but rounding. */
    private static final double DEPENDENT = 1e-13;

    /** @param columns k columns of one length, which become Q's */
    static ThinQr of(double[][] columns) {
        int k = columns.length;
        double[][] r = new double[k][k];
        for (int j = 0; j < k; j++) {
            double[] column = columns[j];
            double before = Math.sqrt(Vectors.dot(column, column));
            for (int pass = 0; pass < 2; pass++) {
                for (int i = 0; i < j; i++) {
                    double projection = Vectors.dot(columns[i], column);
                    r[i][j] += projection;
                    Vectors.addScaled(-projection, columns[i], column);
                }
            }
            double norm = Math.sqrt(Vectors.dot(column, column));
            r[j][j] = norm > DEPENDENT * before ? norm : 0;
            Vectors.scale(r[j][j] == 0 ? 0 : 1 / norm, column);
        }
        return new ThinQr(columns, r);
    }
}
