package io.github.rankine.engine.lora;

import io.github.rankine.engine.RankineException;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What A and B begin with, under PEFT's names for {@code init_lora_weights}. All but PiSSA leave the base as it is, and where training
 * began no longer matters to an adapter that is read.
 *
 * @param name as adapter_config.json has it
 */
public record Initialization(String name) {
    /** A from U(−1/√in, 1/√in), B zero. */
    public static final Initialization DEFAULT = new Initialization("true");

    private static final String PISSA = "pissa";
    private static final Pattern FAST_PISSA = Pattern.compile("pissa_niter_(\\d{1,4})");

    /** Whether A and B are the weight's own principal part, which is taken out of the base (Meng et al. 2024). */
    public boolean isPissa() {
        return name.equals(PISSA) || FAST_PISSA.matcher(name).matches();
    }

    /** Power iterations of a fast decomposition; empty for an exact one. */
    public OptionalInt iterations() {
        Matcher matcher = FAST_PISSA.matcher(name);
        return matcher.matches() ? OptionalInt.of(Integer.parseInt(matcher.group(1))) : OptionalInt.empty();
    }

    /** A fresh adapter's, by name. @throws RankineException when there is none of that name */
    public static Initialization named(String name) {
        Initialization initialization = new Initialization(name);
        if (!name.equals(DEFAULT.name) && !initialization.isPissa()) {
            throw new RankineException("init_lora_weights '" + name + "': there are true, pissa and pissa_niter_N");
        }
        return initialization;
    }
}
