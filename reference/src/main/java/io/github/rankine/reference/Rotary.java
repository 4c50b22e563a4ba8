package io.github.rankine.reference;

/** Rotary position embedding in the half-split layout. */
final class Rotary {
    private Rotary() {}

    /**
     * Rotates the pairs {@code (x[i], x[i + headDim/2])} of each head in place; a rotation's backward pass is its inverse.
     *
     * @param x     {@code [positions.length, width]}
     * @param table a row a position: {@code headDim/2} cosines, then as many sines
     */
    static void rotate(double[] x, int width, int[] positions, double[] table, int headDim, boolean inverse) {
        int half = headDim / 2;
        for (int row = 0; row < positions.length; row++) {
            for (int head = row * width; head < (row + 1) * width; head += headDim) {
                for (int i = 0; i < half; i++) {
                    double cos = table[positions[row] * headDim + i];
                    double sin = table[positions[row] * headDim + half + i] * (inverse ? -1 : 1);
                    double first = x[head + i];
                    double second = x[head + half + i];
                    x[head + i] = first * cos - second * sin;
                    x[head + half + i] = second * cos + first * sin;
                }
            }
        }
    }
}
