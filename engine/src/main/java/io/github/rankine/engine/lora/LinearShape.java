package io.github.rankine.engine.lora;

/**
 * A linear layer as an adapter sees it.
 *
 * @param name       the module's name in the checkpoint
 * @param inputs     input features
 * @param outputs    output features
 * @param transposed whether its weight is stored {@code [in, out]}, GPT-2's Conv1D layout (PEFT's fan_in_fan_out)
 * @param head       whether it is the output head
 */
public record LinearShape(String name, long inputs, long outputs, boolean transposed, boolean head) {}
