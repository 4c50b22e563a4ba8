package io.github.rankine.models.export;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A linear layer's place within a decoder block.
 *
 * @param layer the block's index
 * @param name  the module's name within the block, such as {@code self_attn.q_proj}
 */
record LayerModule(int layer, String name) {
    private static final Pattern BLOCK = Pattern.compile("(?:model\\.layers|transformer\\.h)\\.(\\d+)\\.(.+)");

    /** The place of the module of that name in a checkpoint; empty for one that stands outside the blocks. */
    static Optional<LayerModule> of(String module) {
        Matcher matcher = BLOCK.matcher(module);
        return matcher.matches()
                ? Optional.of(new LayerModule(Integer.parseInt(matcher.group(1)), matcher.group(2)))
                : Optional.empty();
    }
}
