package io.github.rankine.tornado;

/** Where a device comes from, once it is known how much of it is needed. */
interface DeviceSource {
    /** Opens it with arrays of so many elements. */
    Device open(int floats, int words);

    /** Bytes that both arrays may take together. */
    long memory();

    /** Bytes to take where nobody said what is needed. */
    long unplanned();

    /** Who allows that much, to begin a sentence with. */
    String allowance();
}
