package io.github.rankine.engine.lora;

import io.github.rankine.engine.tape.Parameter;
import java.util.List;
import java.util.Optional;

/**
 * A base model as adapters see it.
 *
 * @param linears    every linear layer, the head last
 * @param embedding  the token embedding: from the vocabulary to the model's width
 * @param parameters every weight, under its name in the checkpoint; a head that is tied to the embedding has none of its own
 */
public record BaseShape(List<LinearShape> linears, LinearShape embedding, List<Parameter> parameters) {
    public BaseShape {
        linears = List.copyOf(linears);
        parameters = List.copyOf(parameters);
    }

    /** The linear layer of that name. */
    Optional<LinearShape> linear(String name) {
        return linears.stream().filter(linear -> linear.name().equals(name)).findFirst();
    }
}
