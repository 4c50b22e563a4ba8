package io.github.rankine.engine.lora;

import io.github.rankine.engine.tape.Parameter;

/**
 * The linear layer under an adapter's module.
 *
 * @param weight     {@code [out, in]}, or {@code [in, out]} when {@code transposed}
 * @param bias       {@code [1, out]} or null
 * @param transposed GPT-2's Conv1D layout
 */
public record LinearBase(Parameter weight, Parameter bias, boolean transposed) {}
