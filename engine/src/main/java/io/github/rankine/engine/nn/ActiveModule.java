package io.github.rankine.engine.nn;

import io.github.rankine.engine.lora.LinearBase;
import io.github.rankine.engine.lora.LoraModule;
import io.github.rankine.engine.tape.Tape;
import io.github.rankine.engine.tape.Variable;

/**
 * An adapter's module on some rows of a layer's input.
 *
 * @param module what is done to them
 * @param first  the first of them; negative for all rows
 * @param count  how many
 */
record ActiveModule(LoraModule module, int first, int count) {
    static ActiveModule everywhere(LoraModule module) {
        return new ActiveModule(module, -1, 0);
    }

    boolean isEverywhere() {
        return first < 0;
    }

    /** The layer's output {@code y} with the module; its memory becomes the result's. */
    Variable apply(Tape tape, Variable x, Variable y, LinearBase base, long seed) {
        if (isEverywhere()) {
            return module.apply(tape, x, y, base, seed);
        }
        Variable part = tape.rows(y, first, count);
        Variable result = module.apply(tape, tape.rows(x, first, count), part, base, seed);
        tape.takeBack(result, y, first);
        return y;
    }
}
