package io.github.rankine.models.family;

import io.github.rankine.models.safetensors.Checkpoint;

/**
 * The names that a checkpoint gives its tensors. One that was saved from the bare decoder, without a head, leaves out what
 * the names of all others begin with.
 *
 * @param prefix of the names of all tensors but the head's, such as {@code model.}
 * @param bare   whether the checkpoint leaves it out
 */
record TensorNames(String prefix, boolean bare) {
    static TensorNames of(Checkpoint checkpoint, String prefix) {
        return new TensorNames(
                prefix,
                checkpoint.tensors().stream().noneMatch(tensor -> tensor.name().startsWith(prefix)));
    }

    /** The checkpoint's name for a tensor of the model. */
    String stored(String name) {
        return bare && name.startsWith(prefix) ? name.substring(prefix.length()) : name;
    }

    /** The model's name for a tensor of the checkpoint. */
    String full(String stored) {
        return bare && !stored.startsWith(CausalLanguageModel.HEAD + ".") ? prefix + stored : stored;
    }
}
