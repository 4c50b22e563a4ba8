package io.github.rankine.models.peft;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.lora.PrincipalComponents;
import io.github.rankine.engine.nn.Decoder;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Adapters over one base, each loaded once and chosen by name: for all that is computed by {@link Decoder#activate}, or for each sequence of a
 * batch by {@link Decoder#activatePerSequence}. Choosing touches no weight; an adapter takes the memory of its own matrices.
 *
 * <pre>{@code
 * try (AdapterPool pool = new AdapterPool(model.decoder(), components)) {
 *     pool.load("french", Path.of("adapters/french"));
 *     model.decoder().activate(pool.get("french"));
 * }
 * }</pre>
 */
public final class AdapterPool implements AutoCloseable {
    private final Decoder base;
    private final PrincipalComponents components;
    private final Map<String, Loaded> adapters = new LinkedHashMap<>();

    private record Loaded(LoraAdapter adapter, Arena arena) {}

    /** @param components for adapters that are PiSSA */
    public AdapterPool(Decoder base, PrincipalComponents components) {
        this.base = base;
        this.components = components;
    }

    /**
     * Loads an adapter.
     *
     * @throws RankineException when there is one of that name already, it cannot be read, or it is for another base
     */
    public void load(String name, Path folder) {
        if (adapters.containsKey(name)) {
            throw new RankineException(
                    folder + ": there is an adapter named '" + name + "' already; give it another name");
        }
        Arena arena = Arena.ofShared();
        try (PeftAdapter stored = PeftAdapter.open(folder)) {
            adapters.put(name, new Loaded(stored.load(base, arena, components), arena));
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /** The adapter of that name. @throws RankineException when there is none, with the names that there are */
    public LoraAdapter get(String name) {
        Loaded loaded = adapters.get(name);
        if (loaded == null) {
            throw new RankineException("no adapter '" + name + "'; there are "
                    + (adapters.isEmpty() ? "none" : String.join(", ", adapters.keySet())));
        }
        return loaded.adapter();
    }

    /** Frees an adapter, which must not be active. */
    public void unload(String name) {
        get(name);
        adapters.remove(name).arena().close();
    }

    /** The names, in the order of loading. */
    public Set<String> names() {
        return Collections.unmodifiableSet(adapters.keySet());
    }

    /** Bytes of all their weights. */
    public long bytes() {
        return adapters.values().stream()
                .map(Loaded::adapter)
                .mapToLong(adapter -> adapter.frozenBytes()
                        + adapter.parameters().stream()
                                .mapToLong(parameter -> parameter.value().bytes())
                                .sum())
                .sum();
    }

    /** Deactivates and frees all. */
    @Override
    public void close() {
        base.activate();
        adapters.values().forEach(loaded -> loaded.arena().close());
        adapters.clear();
    }
}
