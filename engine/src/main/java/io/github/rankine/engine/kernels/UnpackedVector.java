package io.github.rankine.engine.kernels;

import io.github.rankine.engine.tensor.Weight;

/** A weight or bias vector as float32 on the heap, unpacked once a call and read by all rows. */
final class UnpackedVector {
    private float[] values = new float[0];

    float[] unpack(Weight weight) {
        int size = Math.toIntExact(weight.size());
        if (values.length < size) {
            values = new float[size];
        }
        Operand.of(weight).read(0, 0, values, 0, size);
        return values;
    }
}
