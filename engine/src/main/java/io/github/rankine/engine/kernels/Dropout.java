package io.github.rankine.engine.kernels;

/**
 * Dropout's random numbers: a hash of seed and element index instead of a stream, so that the mask need not be stored, is
 * the same for any number of threads, and can be made again in the backward pass or after a resume.
 */
public final class Dropout {
    public static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;
    public static final long MIX_1 = 0xBF58476D1CE4E5B9L;
    public static final long MIX_2 = 0x94D049BB133111EBL;

    private Dropout() {}

    /** True when element {@code index} survives dropout with {@code probability}. */
    public static boolean keeps(long seed, long index, float probability) {
        return uniform(seed, index) >= probability;
    }

    /** A number in [0, 1) with 24 random bits (the finaliser of SplitMix64, Steele et al. 2014). */
    public static float uniform(long seed, long index) {
        return (mix(state(seed, index)) >>> 40) * 0x1p-24f;
    }

    /** A standard normal number (Box and Muller 1958). */
    public static double normal(long seed, long index) {
        double radius = Math.sqrt(-2 * Math.log(1 - uniform(seed, 2 * index)));
        return radius * Math.cos(2 * Math.PI * uniform(seed, 2 * index + 1));
    }

    /** What is hashed for element {@code index}; it grows by {@link #GOLDEN_GAMMA} from one element to the next. */
    static long state(long seed, long index) {
        return seed + GOLDEN_GAMMA * (index + 1);
    }

    /** A seed for one use, made from a run's seed and what identifies the use (step, layer, …). */
    public static long seedOf(long seed, long... parts) {
        long hash = mix(seed ^ GOLDEN_GAMMA);
        for (long part : parts) {
            hash = mix(hash + GOLDEN_GAMMA + part);
        }
        return hash;
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * MIX_1;
        z = (z ^ (z >>> 27)) * MIX_2;
        return z ^ (z >>> 31);
    }
}
